// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package longhorn

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"strconv"
	"strings"

	lhv1beta2 "github.com/longhorn/longhorn-manager/k8s/pkg/apis/longhorn/v1beta2"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/harvester-community/terraform-provider-harvester/internal/sandbox/connection"
	"github.com/harvester-community/terraform-provider-harvester/internal/sandbox/pace"
)

const sectorSize = 512

// Backend returns what Harvester reaches as http://longhorn-backend.longhorn-system:9500: the upload and the download of
// backing images. (Harvester v1.8.1 asks it for nothing else.)
func (l *Longhorn) Backend() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/backingimages/{name}", l.serveUpload)
	mux.HandleFunc("GET /v1/backingimages/{name}/download", l.serveDownload)
	return mux
}

// serveUpload does the manager's half of an upload: it finds the pod to send it to.
func (l *Longhorn) serveUpload(w http.ResponseWriter, r *http.Request) {
	if action := r.URL.Query().Get("action"); action != "upload" {
		writeManagerError(w, fmt.Errorf("failed to verify if the proxy is required: unknown action for backing image upload related request: %v", action))
		return
	}
	p, err := l.podForUpload(r.Context(), r.PathValue("name"))
	if err != nil {
		l.log.Info("upload failed", "backingImage", r.PathValue("name"), "error", err)
		writeManagerError(w, fmt.Errorf("failed to get the parameters: %w", err))
		return
	}
	if err := p.upload(w, r); err != nil {
		p.log.Info("upload failed", "error", err)
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
}

func (l *Longhorn) podForUpload(ctx context.Context, name string) (*pod, error) {
	p := l.podOf(name)
	if p == nil {
		return nil, errors.New("backing image data source pod is not ready for uploading")
	}
	source, err := l.source(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("error getting backing image %s: %w", name, err)
	}
	if source.Status.CurrentState != lhv1beta2.BackingImageStatePending || p.faults.TakeRefusal(p.image.Namespace, p.image.Name) {
		return nil, fmt.Errorf("upload server for backing image %s has not been initiated", name)
	}
	return p, nil
}

// upload does the pod's half of an upload.
func (p *pod) upload(w http.ResponseWriter, r *http.Request) error {
	if p.source != lhv1beta2.BackingImageDataSourceTypeUpload {
		return fmt.Errorf("cannot do upload since data source type is %v rather than upload", p.source)
	}
	size, err := uploadSize(r.URL.Query().Get("size"))
	if err != nil {
		return err
	}
	if err := p.claim(size); err != nil {
		return err
	}
	part, err := chunk(r)
	if err != nil {
		// As in Longhorn, the pod stays claimed, and fails when its time to begin is over.
		return err
	}
	if !pace.Wait(p.ctx, p.pace.Prepare()) {
		return errCancelled
	}
	// The connection ends with the pod.
	defer connection.EndWith(p.ctx, w)()
	return p.finish(r.Context(), p.receive(part, r.Body))
}

// uploadSize reads the size that an upload announces.
func uploadSize(query string) (int64, error) {
	size, err := strconv.ParseInt(query, 10, 64)
	if err != nil {
		return 0, err
	}
	if size%sectorSize != 0 {
		return 0, fmt.Errorf("the uploaded file size %d should be a multiple of %d bytes since Longhorn uses directIO by default", size, sectorSize)
	}
	return size, nil
}

// chunk finds the part of a multipart body that holds the file.
func chunk(r *http.Request) (*multipart.Part, error) {
	reader, err := r.MultipartReader()
	if err != nil {
		return nil, err
	}
	for {
		part, err := reader.NextPart()
		if err != nil || part.FormName() == "chunk" {
			return part, err
		}
	}
}

func (p *pod) receive(part io.ReadCloser, body io.Reader) error {
	file, err := p.store.create(p.name, p.uuid)
	if err != nil {
		return err
	}
	defer file.Close()
	open := func(context.Context) (io.ReadCloser, error) { return part, nil }
	if err := p.transfer().run(p.ctx, open, file); err != nil {
		return err
	}
	// The end of the body has to be read: only then does the server notice that a client has gone away.
	_, err = io.Copy(io.Discard, body)
	return err
}

// serveDownload sends a finished file, compressed on the way.
func (l *Longhorn) serveDownload(w http.ResponseWriter, r *http.Request) {
	file, err := l.openFinished(r.Context(), r.PathValue("name"))
	if err != nil {
		writeManagerError(w, fmt.Errorf("failed to get the parameters: %w", err))
		return
	}
	defer file.Close()
	short, _, _ := strings.Cut(r.PathValue("name"), "-")
	w.Header().Set("Content-Disposition", fmt.Sprintf("attachment; filename=%s.gz", short))
	w.Header().Set("Content-Type", "application/octet-stream")
	compressed := gzip.NewWriter(w)
	if _, err := io.Copy(compressed, contextReader{r.Context(), file}); err != nil {
		// The status is sent already: only a broken connection tells the client that the file is not complete.
		panic(http.ErrAbortHandler)
	}
	if err := compressed.Close(); err != nil {
		panic(http.ErrAbortHandler)
	}
}

func (l *Longhorn) openFinished(ctx context.Context, name string) (*os.File, error) {
	image, err := l.image(ctx, name)
	if err != nil {
		return nil, err
	}
	for _, status := range image.Status.DiskFileStatusMap {
		if status.State == lhv1beta2.BackingImageStateReady {
			return os.Open(l.store.path(name, image.Status.UUID))
		}
	}
	return nil, fmt.Errorf("failed to find a default backing image manager for backing image %v download", name)
}

// writeManagerError answers as Longhorn's manager does, in JSON. (Its pods answer in plain text.)
func writeManagerError(w http.ResponseWriter, err error) {
	status := http.StatusInternalServerError
	if apierrors.IsNotFound(err) {
		status = http.StatusNotFound
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	// A client that went away needs no answer.
	_ = json.NewEncoder(w).Encode(map[string]any{
		"type": "error", "status": status, "code": http.StatusText(status), "message": err.Error(),
	})
}
