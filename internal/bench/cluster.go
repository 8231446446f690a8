// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
)

// cluster speaks as much of Kubernetes' and Harvester's API as images take. What
// a real server would do by itself is told to it: finish, fail.
type cluster struct {
	*httptest.Server
	asked  asked
	routes *http.ServeMux
	// receiver takes the data of uploads.
	receiver receiver
	// checksum is the SHA-512 that Longhorn shows of every image; empty shows none.
	checksum string

	mu      sync.Mutex
	version int64
	images  map[string]*api.VirtualMachineImage
	// watchers get every change as a line of JSON.
	watchers map[chan []byte]bool
	// settled says when the import of an image ended here.
	settled map[string]time.Time
}

func newCluster() *cluster {
	c := &cluster{
		routes: http.NewServeMux(), images: map[string]*api.VirtualMachineImage{}, watchers: map[chan []byte]bool{}, settled: map[string]time.Time{},
	}
	images := collectionOf(api.Images, "default")
	c.routes.HandleFunc("POST "+images, c.create)
	c.routes.HandleFunc("GET "+images, c.list)
	c.routes.HandleFunc("GET "+images+"/{name}", c.get)
	c.routes.HandleFunc("PATCH "+images+"/{name}", c.patch)
	c.routes.HandleFunc("GET "+collectionOf(api.BackingImages, api.NamespaceLonghorn)+"/{name}", c.backingImage)
	c.routes.HandleFunc("GET /v1/harvester/schemas/{type}", func(http.ResponseWriter, *http.Request) {})
	c.routes.HandleFunc("POST /v1/harvester/{type}/default/{name}", c.upload)
	c.routes.Handle("POST /upload", &c.receiver) // for who brings no image
	return c
}

func collectionOf(resource schema.GroupVersionResource, namespace string) string {
	return fmt.Sprintf("/apis/%s/%s/namespaces/%s/%s", resource.Group, resource.Version, namespace, resource.Resource)
}

// startCluster serves TLS 1.3 directly.
func startCluster() *cluster {
	c := newCluster()
	c.Server = httptest.NewUnstartedServer(c)
	c.TLS = &tls.Config{MinVersion: tls.VersionTLS13}
	c.EnableHTTP2 = true
	c.StartTLS()
	return c
}

func (c *cluster) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.asked.add(r)
	c.routes.ServeHTTP(w, r)
}

// stop ends the watches too.
func (c *cluster) stop() {
	c.CloseClientConnections()
	c.Close()
}

func (c *cluster) create(w http.ResponseWriter, r *http.Request) {
	image := &api.VirtualMachineImage{}
	if err := json.NewDecoder(r.Body).Decode(image); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	image.UID = types.UID("uid-" + image.Name)
	image.CreationTimestamp = metav1.Now()
	image.Status.Conditions = []api.Condition{{Type: api.ImageInitialized, Status: "True"}}
	if r.URL.Query().Get("dryRun") == "" {
		c.publish("ADDED", image)
	}
	answer(w, http.StatusCreated, image)
}

func (c *cluster) get(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	answerFound(w, c.images[r.PathValue("name")])
}

// answerFound answers with an object, or that there is none.
func answerFound[T any](w http.ResponseWriter, object *T) {
	if object == nil {
		answer(w, http.StatusNotFound, metav1.Status{Status: metav1.StatusFailure, Reason: metav1.StatusReasonNotFound, Code: http.StatusNotFound})
		return
	}
	answer(w, http.StatusOK, object)
}

func (c *cluster) patch(w http.ResponseWriter, r *http.Request) {
	var patch map[string]any
	if err := json.NewDecoder(r.Body).Decode(&patch); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	image := c.images[r.PathValue("name")]
	if image != nil {
		changed, err := patched(image, patch)
		if err != nil {
			http.Error(w, err.Error(), http.StatusUnprocessableEntity)
			return
		}
		image = changed
		c.publish("MODIFIED", image)
	}
	answerFound(w, image)
}

// patched is an image after a JSON merge patch.
func patched(image *api.VirtualMachineImage, patch map[string]any) (*api.VirtualMachineImage, error) {
	text, err := json.Marshal(image)
	if err != nil {
		return nil, err
	}
	var object map[string]any
	if err := json.Unmarshal(text, &object); err != nil {
		return nil, err
	}
	if text, err = json.Marshal(merged(object, patch)); err != nil {
		return nil, err
	}
	changed := &api.VirtualMachineImage{}
	return changed, json.Unmarshal(text, changed)
}

// backingImage is Longhorn's object behind an image. There is one for every name.
func (c *cluster) backingImage(w http.ResponseWriter, r *http.Request) {
	image := &api.BackingImage{TypeMeta: metav1.TypeMeta{APIVersion: api.BackingImages.GroupVersion().String(), Kind: "BackingImage"}, ObjectMeta: metav1.ObjectMeta{Name: r.PathValue("name"), Namespace: api.NamespaceLonghorn}}
	image.Status.Checksum = c.checksum
	answer(w, http.StatusOK, image)
}

func (c *cluster) list(w http.ResponseWriter, r *http.Request) {
	if r.URL.Query().Get("watch") != "" {
		c.watch(w, r)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	list := map[string]any{
		"apiVersion": api.Images.GroupVersion().String(), "kind": api.KindImage + "List",
		"metadata": map[string]any{"resourceVersion": strconv.FormatInt(c.version, 10)},
	}
	items := []*api.VirtualMachineImage{}
	for _, image := range c.images {
		items = append(items, image)
	}
	list["items"] = items
	answer(w, http.StatusOK, list)
}

// watch sends what is newer than the version asked for, then every change.
func (c *cluster) watch(w http.ResponseWriter, r *http.Request) {
	since, _ := strconv.ParseInt(r.URL.Query().Get("resourceVersion"), 10, 64)
	events := make(chan []byte, 10000)
	c.mu.Lock()
	for _, image := range c.images {
		if version, _ := strconv.ParseInt(image.ResourceVersion, 10, 64); version > since {
			events <- event("MODIFIED", image)
		}
	}
	c.watchers[events] = true
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		delete(c.watchers, events)
		c.mu.Unlock()
	}()
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusOK)
	flush := http.NewResponseController(w)
	for {
		_ = flush.Flush()
		select {
		case <-r.Context().Done():
			return
		case line := <-events:
			_, _ = w.Write(line)
		}
	}
}

// upload takes the data, and the image is imported.
func (c *cluster) upload(w http.ResponseWriter, r *http.Request) {
	if err := c.receiver.take(r); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	size, _ := strconv.ParseInt(r.URL.Query().Get("size"), 10, 64)
	c.settle(r.PathValue("name"), size, imported)
}

// imported says that the cluster has all of an image.
var imported = api.Condition{Type: api.ImageImported, Status: "True"}

// finish lets an import succeed.
func (c *cluster) finish(name string) {
	c.settle(name, gib, imported)
}

// fail lets an import fail for good.
func (c *cluster) fail(name, message string) {
	c.settle(name, gib, api.Condition{Type: api.ImageImported, Status: "False", Reason: "ImportFailed", Message: message},
		api.Condition{Type: api.ImageRetryLimitExceeded, Status: "True", Message: message})
}

func (c *cluster) settle(name string, size int64, conditions ...api.Condition) {
	c.mu.Lock()
	defer c.mu.Unlock()
	image := *c.images[name]
	image.Status.Progress, image.Status.Size, image.Status.VirtualSize = 100, size, size
	image.Status.Conditions = append(slices.Clone(image.Status.Conditions), conditions...)
	c.settled[name] = time.Now()
	c.publish("MODIFIED", &image)
}

// publish stores an image and tells the watchers. The lock is held.
func (c *cluster) publish(kind string, image *api.VirtualMachineImage) {
	c.version++
	image.APIVersion, image.Kind = api.Images.GroupVersion().String(), api.KindImage
	image.ResourceVersion = strconv.FormatInt(c.version, 10)
	c.images[image.Name] = image
	for events := range c.watchers {
		events <- event(kind, image)
	}
}

// names lists the images that are there.
func (c *cluster) names() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	names := make([]string, 0, len(c.images))
	for name := range c.images {
		names = append(names, name)
	}
	return names
}

func event(kind string, image *api.VirtualMachineImage) []byte {
	line, _ := json.Marshal(map[string]any{"type": kind, "object": image}) // plain structs always encode
	return append(line, '\n')
}

func answer(w http.ResponseWriter, code int, object any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(object)
}
