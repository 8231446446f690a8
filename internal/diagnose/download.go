// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package diagnose

import (
	"errors"
	"strings"

	"github.com/harvester-community/terraform-provider-harvester/internal/transfer"
)

// download explains what only downloads fail with.
func download(err error) (summary, what, todo string, found bool) {
	var (
		refused *transfer.RefusedError
		stream  *transfer.StreamError
		stalled *transfer.StalledError
		target  *transfer.TargetError
	)
	switch {
	case errors.As(err, &target):
		return "Target not usable", target.Error(), "Check filename on the machine that runs Terraform.", true
	case errors.As(err, &stalled):
		return "Timed out", stalled.Error(), "Look whether the cluster is busy or the network interrupted, then apply again; stall_timeout says how long to wait.", true
	case errors.As(err, &stream) && stream.Final:
		return "Download failed", stream.Error(), "The cluster does not send what it says the image is. Look at the image in Harvester's dashboard, and make it anew if it is damaged.", true
	case errors.As(err, &stream):
		return "Download incomplete", stream.Error(), "Apply again. If it breaks off after the same time again and again, a proxy on the way limits how long answers may take: " +
			"that of Harvester 1.9 ends them after 30 minutes.", true
	case errors.As(err, &refused):
		summary, what, todo = refusedDownload(refused)
		return summary, what, todo, true
	}
	return "", "", "", false
}

// refusedDownload explains an answer from Harvester's own API or a proxy before it.
func refusedDownload(err *transfer.RefusedError) (summary, what, todo string) {
	what = err.Error()
	switch {
	case err.Code == 401:
		return "Not authorized", what, "The token has probably expired, or the address takes no such credentials. Download a new kubeconfig from Harvester's dashboard."
	case err.Code == 403:
		return "Not allowed", what, "The credentials may not download this image. They need the right to get virtualmachineimages."
	case err.Code == 404 && (err.Body == "" || strings.Contains(err.Body, "404 page not found")):
		return "Harvester API not reachable", what, hintNoAPI
	case err.Code == 404:
		return "Not found", what, "The image may have been deleted while it was downloaded."
	case strings.Contains(err.Body, "please wait until"):
		return "Image is not ready", what, "Wait until the image is Active, then apply again."
	case strings.Contains(err.Body, "encrypted image"):
		return "Image is encrypted", what, "Decrypt it into a new image first, and download that one."
	case err.Code == 429 || err.Code == 502 || err.Code == 503 || err.Code == 504:
		return "Download interrupted", what, "A proxy or Harvester was busy or restarting. Apply again."
	}
	return "Download failed", what, ""
}
