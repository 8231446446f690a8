// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

// Package diagnose turns errors into diagnostics that say what happened, what
// state things are in and what to do.
package diagnose

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
	"github.com/harvester-community/terraform-provider-harvester/internal/redact"
	"github.com/harvester-community/terraform-provider-harvester/internal/transfer"
	"github.com/harvester-community/terraform-provider-harvester/internal/transport"
	"github.com/harvester-community/terraform-provider-harvester/internal/wait"
)

// API describes a failed request to the cluster. Doing completes "Could not …",
// object names what it was about, such as `image "default/ubuntu"`; left says
// what state things are in now, in a sentence.
func API(doing, object, left string, err error) diag.Diagnostic {
	summary, what, todo := explain(err)
	return diag.NewErrorDiagnostic(summary, Paragraphs(
		fmt.Sprintf("Could not %s the %s: %s", doing, redact.Text(object), sentence(redact.Text(what))), redact.Text(left), todo))
}

// explain finds the class of an error: a general summary, what happened, and
// what to do.
func explain(err error) (summary, what, todo string) {
	if summary, what, todo, found := download(err); found {
		return summary, what, todo
	}
	var (
		timeout *wait.TimeoutError
		status  *transfer.StatusError
		file    *transfer.FileError
		noAPI   *kube.HarvesterAPIError
	)
	if redirect, ok := errors.AsType[*transport.RedirectError](err); ok {
		return "Redirected elsewhere", redirect.Error(), hintRedirect
	}
	if tooLarge, ok := errors.AsType[*transport.TooLargeError](err); ok {
		return "Answer too large", tooLarge.Error(), "No object of Kubernetes is that large. Look what answers at the address in the kubeconfig (or host)."
	}
	switch {
	case errors.Is(err, context.Canceled):
		return "Interrupted", "the run was interrupted", "Run terraform apply again to go on."
	case errors.Is(err, context.DeadlineExceeded):
		return "Timed out", "the time limit ran out", "Raise the limit in the timeouts block if it was too short."
	case errors.As(err, &timeout) && timeout.Setting != "":
		return "Timed out", timeout.Error(), fmt.Sprintf("Look whether the cluster is busy or in trouble, then apply again. If it only needs longer, raise %s, "+
			"which says how long nothing may change.", timeout.Setting)
	case errors.As(err, &timeout):
		return "Timed out", timeout.Error(), "If it only needs longer, raise the limit in the timeouts block and apply again."
	case errors.As(err, &file):
		return "File not usable", file.Error(), "Check file_path on the machine that runs Terraform."
	case errors.As(err, &noAPI):
		return "Harvester API not reachable", noAPI.Error(), hintNoAPI
	case errors.As(err, &status):
		return upload(status)
	}
	return api(err)
}

const hintNoAPI = "The kubeconfig probably points straight at kube-apiserver (port 6443), which serves everything but uploads and downloads. " +
	"Use the kubeconfig of Harvester's dashboard (Support, Download KubeConfig), whose server is https://<address of Harvester>/k8s/clusters/local."

const hintRedirect = "If that is the right address of Harvester, give it in the kubeconfig (or host), with its scheme and port, so that no redirect is needed. " +
	"If it is not, look what answers in the place of Harvester; a page to log in is a common one."

func api(err error) (summary, what, todo string) {
	said := message(err)
	switch {
	case kube.Denied(err): // whatever the status: a webhook's 403 is about the object, and its 500 does not pass
		return "Rejected by the cluster", said, ""
	case apierrors.IsUnauthorized(err):
		return "Not authorized", "the cluster does not accept the credentials (401 Unauthorized)",
			"The token has probably expired: kubeconfigs from Harvester's dashboard hold one that ends after 30 days by default. " +
				"Download a new kubeconfig or create a new API key."
	case apierrors.IsForbidden(err):
		return "Not allowed", said, "Ask for the missing right, or use other credentials."
	case apierrors.IsNotFound(err):
		return "Not found", said, "It may have been deleted by someone else. Plan again to see what is missing."
	case apierrors.IsAlreadyExists(err):
		return "Already exists", said, ""
	case apierrors.IsConflict(err), kube.Refused(err):
		return "Rejected by the cluster", said, ""
	case isAnswer(err):
		return "Error from the cluster", said, "If the cluster is being restarted or upgraded, try again later."
	case isNetwork(err):
		return "Cluster not reachable", err.Error(), "Check the address in the kubeconfig (or host), the network between here and there, and proxy settings."
	}
	return "Unexpected error", err.Error(), ""
}

// upload explains an HTTP answer from Harvester's own API or a proxy before it.
func upload(err *transfer.StatusError) (summary, what, todo string) {
	what = err.Error()
	switch err.Code {
	case 401:
		return "Not authorized", what, "The token has probably expired, or the address takes no such credentials. Download a new kubeconfig from Harvester's dashboard."
	case 403:
		return "Not allowed", what, "The credentials may not upload to this image. They need the right to update virtualmachineimages."
	case 404:
		if strings.Contains(err.Body, "404 page not found") || err.Body == "" {
			return "Harvester API not reachable", what, hintNoAPI
		}
		return "Not found", what, "The image may have been deleted while it was uploaded."
	case 413:
		return "Upload refused by a proxy", what, "A proxy on the way limits the size of requests; often that is the ingress of an external Rancher. " +
			"Use Harvester's own address, or raise the limit there (for nginx: proxy-body-size)."
	case 429, 502, 503, 504:
		return "Upload interrupted", what, "A proxy or Harvester was busy or restarting. Apply again."
	}
	return "Upload failed", what, ""
}

// message is what the server said, without the wrapping of its webhooks.
func message(err error) string {
	text := err.Error()
	var status apierrors.APIStatus
	if errors.As(err, &status) && status.Status().Message != "" {
		text = status.Status().Message
	}
	if _, after, found := strings.Cut(text, "denied the request: "); found {
		return strings.TrimPrefix(after, "Internal error occurred: ")
	}
	return text
}

// Said is what the server said in an API error, for messages of one's own.
func Said(err error) string { return sentence(redact.Text(message(err))) }

func isAnswer(err error) bool {
	var status apierrors.APIStatus
	return errors.As(err, &status)
}

func isNetwork(err error) bool {
	var network net.Error
	var op *net.OpError
	return errors.As(err, &network) || errors.As(err, &op)
}

// Config describes a mistake in the provider's connection arguments.
func Config(err error) (field, summary, detail string) {
	if mistake, ok := errors.AsType[*kube.ConfigError](err); ok {
		return mistake.Field, "Invalid provider configuration", mistake.Detail
	}
	return "", "Invalid provider configuration", redact.Text(err.Error())
}

// Paragraphs joins texts with empty lines between; empty ones are left out.
func Paragraphs(texts ...string) string {
	var kept []string
	for _, text := range texts {
		if text = strings.TrimSpace(text); text != "" {
			kept = append(kept, text)
		}
	}
	return strings.Join(kept, "\n\n")
}

func sentence(text string) string {
	text = strings.TrimSpace(text)
	if text == "" || strings.HasSuffix(text, ".") || strings.HasSuffix(text, "!") || strings.HasSuffix(text, "?") {
		return text
	}
	return text + "."
}
