// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package cdi

import (
	"context"
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"regexp"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	cc "kubevirt.io/containerized-data-importer/pkg/controller/common"

	"github.com/harvester-community/terraform-provider-harvester/internal/sandbox/connection"
	"github.com/harvester-community/terraform-provider-harvester/internal/sandbox/pace"
)

const (
	// readyPoll and readyPatience are how CDI's proxy waits for the pod of an upload.
	readyPoll     = time.Second
	readyPatience = 10 * time.Second
)

var bearer = regexp.MustCompile(`(?i)^Bearer\s+([A-Za-z0-9\-\._~\+\/]+)$`)

// UploadProxy returns what Harvester reaches as https://cdi-uploadproxy.harvester-system: uploads to claims.
func (c *CDI) UploadProxy() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/v1beta1/upload", c.serveUpload(wholeBody))
	mux.Handle("/v1beta1/upload-form", c.serveUpload(filePart))
	return mux
}

// wholeBody takes a body as the file.
func wholeBody(r *http.Request) (io.Reader, error) { return r.Body, nil }

// filePart finds the part of a form that is the file. The others are ignored.
func filePart(r *http.Request) (io.Reader, error) {
	form, err := r.MultipartReader()
	if err != nil {
		return nil, err
	}
	for {
		part, err := form.NextPart()
		if err != nil {
			return nil, err
		}
		if part.FormName() == "file" {
			return part, nil
		}
	}
}

// serveUpload does the proxy's half of an upload: it checks the token and finds the pod to send it to.
func (c *CDI) serveUpload(file func(*http.Request) (io.Reader, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		match := bearer.FindStringSubmatch(r.Header.Get("Authorization"))
		if match == nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		claim, err := c.claimOfToken(match[1])
		if err != nil {
			w.WriteHeader(statusOfToken(err))
			return
		}
		p, err := c.podForUpload(r.Context(), claim)
		if err != nil {
			w.WriteHeader(http.StatusServiceUnavailable)
			fmt.Fprint(w, html.EscapeString(err.Error()))
			return
		}
		p.upload(w, r, file)
	})
}

func statusOfToken(err error) int {
	if errors.Is(err, errBadToken) {
		return http.StatusBadRequest
	}
	return http.StatusUnauthorized
}

// podForUpload waits for the pod of a claim to be ready for an upload.
func (c *CDI) podForUpload(ctx context.Context, at types.NamespacedName) (*pod, error) {
	ctx, cancel := context.WithTimeout(ctx, readyPatience)
	defer cancel()
	for {
		claim, err := c.claim(ctx, at)
		if apierrors.IsNotFound(err) {
			return nil, fmt.Errorf("rejecting Upload Request for PVC %s that doesn't exist", at.Name)
		}
		if err != nil {
			return nil, err
		}
		if err := uploadPossible(claim); err != nil {
			return nil, err
		}
		if p := c.podOf(at); p != nil && claim.Annotations[cc.AnnPodReady] == "true" {
			return p, nil
		}
		if !pace.Wait(ctx, readyPoll) {
			return nil, context.DeadlineExceeded
		}
	}
}

// uploadPossible says why nothing can be uploaded to a claim.
func uploadPossible(claim *corev1.PersistentVolumeClaim) error {
	if _, isTarget := claim.Annotations[cc.AnnUploadRequest]; !isTarget {
		return fmt.Errorf("PVC %s is not an upload target", claim.Name)
	}
	if cc.IsPVCComplete(claim) {
		return fmt.Errorf("rejecting Upload Request for PVC %s that already finished uploading", claim.Name)
	}
	return nil
}

// upload does the pod's half of an upload. As in CDI, it answers when the disk is finished, and goes on with a body that
// it has read even if the client is gone.
func (p *pod) upload(w http.ResponseWriter, r *http.Request, file func(*http.Request) (io.Reader, error)) {
	if status := p.begin(r.Method); status != http.StatusOK {
		w.WriteHeader(status)
		return
	}
	content, err := file(r)
	if err != nil {
		// CDI's server crashes here, which its proxy reports. It takes no upload any more.
		w.WriteHeader(http.StatusBadGateway)
		fmt.Fprintln(w, "error in upload-proxy: http: proxy error: EOF")
		return
	}
	// The connection ends with the pod.
	stop := connection.EndWith(p.ctx, w)
	err = p.process(content)
	if err == nil {
		err = p.finish()
	}
	p.end()
	stop()
	if err != nil {
		p.log.Info("upload failed", "error", err)
		p.store.discard(p.uid)
		writeStreamError(w, err)
	}
}

// begin reserves the pod for an upload and says with which status it refuses.
func (p *pod) begin(method string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case method != http.MethodPost:
		return http.StatusNotFound
	case p.uploading:
		return http.StatusServiceUnavailable
	case p.done:
		return http.StatusConflict
	}
	p.uploading = true
	return http.StatusOK
}

func (p *pod) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.uploading = false
}

// writeStreamError answers an upload that failed.
func writeStreamError(w http.ResponseWriter, err error) {
	status := http.StatusInternalServerError
	if isNoCapacity(err) {
		status = http.StatusBadRequest
		err = fmt.Errorf("effective image size is larger than the reported available storage: %w", err)
	}
	w.WriteHeader(status)
	fmt.Fprintf(w, "Saving stream failed: %s", err)
}
