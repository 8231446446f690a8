// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"mime"
	"mime/multipart"
	"net/http"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// world is a cluster that keeps objects, as far as single calls of the provider need one.
type world struct {
	mu      sync.Mutex
	objects map[string]map[string]any // by the path of the API
	stale   map[string]map[string]any // what the next read of a path finds, once
	made    func(at string, object map[string]any)
	serial  int
	writes  []string // what was stored or refused, but no dry runs
	parts   []string // the parts of the forms that were uploaded
}

func newWorld(objects map[string]string) *world {
	w := &world{objects: map[string]map[string]any{}, stale: map[string]map[string]any{}, made: func(string, map[string]any) {}}
	for at, text := range objects {
		w.objects[at] = parsed(at, text)
	}
	return w
}

// parsed is the object of that path; text is what its JSON holds besides the name.
func parsed(at, text string) map[string]any {
	object := map[string]any{}
	if err := json.Unmarshal([]byte("{"+text+"}"), &object); err != nil {
		panic(err)
	}
	metadata, _ := object["metadata"].(map[string]any)
	if metadata == nil {
		metadata = map[string]any{}
	}
	metadata["name"], metadata["resourceVersion"] = path.Base(at), "1"
	if metadata["uid"] == nil {
		metadata["uid"] = "A"
	}
	if namespace := namespaceOf(at); namespace != "" {
		metadata["namespace"] = namespace
	}
	object["metadata"] = metadata
	return object
}

// put changes what is at a path.
func (w *world) put(at, text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.objects[at] = parsed(at, text)
	w.version(w.objects[at])
}

// seenOnce is what the next read of a path finds in the place of what is there.
func (w *world) seenOnce(at, text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stale[at] = parsed(at, text)
}

func (w *world) written() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.writes)
}

func (w *world) version(object map[string]any) {
	w.serial++
	object["metadata"].(map[string]any)["resourceVersion"] = fmt.Sprint(w.serial + 1)
}

func (w *world) ServeHTTP(to http.ResponseWriter, req *http.Request) {
	switch {
	case strings.HasPrefix(req.URL.Path, "/v1/harvester/schemas/"):
		_, _ = io.WriteString(to, "{}")
		return
	case strings.HasPrefix(req.URL.Path, "/v1/harvester/") && req.Method == http.MethodPost:
		w.upload(to, req)
		return
	case req.URL.Query().Get("watch") != "":
		w.watch(to, req)
		return
	}
	body, _ := io.ReadAll(req.Body)
	w.mu.Lock()
	defer w.mu.Unlock()
	code, answer := w.answer(req, body)
	to.Header().Set("Content-Type", "application/json")
	to.WriteHeader(code)
	_ = json.NewEncoder(to).Encode(answer)
}

func (w *world) answer(req *http.Request, body []byte) (code int, answer any) {
	at, sent := req.URL.Path, map[string]any{}
	dry := req.URL.Query().Get("dryRun") != ""
	_ = json.Unmarshal(body, &sent)
	if req.Method != http.MethodGet && !dry {
		w.writes = append(w.writes, req.Method+" "+at+" "+string(body))
	}
	if req.Method == http.MethodPost {
		return w.create(at, sent, dry)
	}
	object, there := w.objects[at]
	switch {
	case req.Method == http.MethodGet && w.stale[at] != nil:
		object = w.stale[at]
		delete(w.stale, at)
		return http.StatusOK, object
	case req.Method == http.MethodGet && !there:
		return w.list(at)
	case !there:
		return failure(http.StatusNotFound, "NotFound")
	case req.Method == http.MethodGet:
		return http.StatusOK, object
	}
	uid := object["metadata"].(map[string]any)["uid"]
	for _, of := range []string{"metadata", "preconditions"} {
		if wanted, _ := sent[of].(map[string]any); wanted["uid"] != nil && wanted["uid"] != uid {
			return failure(http.StatusConflict, "Conflict")
		}
	}
	switch {
	case dry:
	case req.Method == http.MethodDelete:
		delete(w.objects, at)
	default:
		merge(object, sent)
		w.version(object)
	}
	return http.StatusOK, object
}

func (w *world) create(at string, object map[string]any, dry bool) (code int, answer any) {
	metadata := object["metadata"].(map[string]any)
	at = path.Join(at, metadata["name"].(string))
	if w.objects[at] != nil {
		return failure(http.StatusConflict, "AlreadyExists")
	}
	w.version(object)
	metadata["uid"], metadata["creationTimestamp"] = fmt.Sprintf("made-%d", w.serial), time.Now().UTC().Format(time.RFC3339)
	if !dry {
		w.objects[at] = object
		w.made(at, object)
	}
	return http.StatusCreated, object
}

// list finds what is in a collection; what has no objects and no plural is no collection.
func (w *world) list(at string) (code int, answer any) {
	if !strings.HasSuffix(at, "s") {
		return failure(http.StatusNotFound, "NotFound")
	}
	items := []any{}
	for _, each := range slices.Sorted(maps.Keys(w.objects)) {
		if path.Dir(each) == at {
			items = append(items, w.objects[each])
		}
	}
	return http.StatusOK, map[string]any{"kind": "List", "apiVersion": "v1", "metadata": map[string]any{"resourceVersion": fmt.Sprint(w.serial + 1)}, "items": items}
}

// watch tells of each version of what is in a collection.
func (w *world) watch(to http.ResponseWriter, req *http.Request) {
	to.Header().Set("Content-Type", "application/json")
	told := map[string]bool{}
	for req.Context().Err() == nil {
		w.mu.Lock()
		for at, object := range w.objects {
			if version := at + fmt.Sprint(object["metadata"].(map[string]any)["resourceVersion"]); path.Dir(at) == req.URL.Path && !told[version] {
				told[version] = true
				_ = json.NewEncoder(to).Encode(map[string]any{"type": "MODIFIED", "object": object})
			}
		}
		w.mu.Unlock()
		to.(http.Flusher).Flush()
		time.Sleep(20 * time.Millisecond)
	}
}

// upload takes a form, and makes the image ready.
func (w *world) upload(to http.ResponseWriter, req *http.Request) {
	_, parameters, _ := mime.ParseMediaType(req.Header.Get("Content-Type"))
	form := multipart.NewReader(req.Body, parameters["boundary"])
	part, err := form.NextPart()
	if err != nil {
		to.WriteHeader(http.StatusBadRequest)
		return
	}
	received, _ := io.Copy(io.Discard, part)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.parts = append(w.parts, part.FormName())
	image := w.objects["/apis/harvesterhci.io/v1beta1/namespaces/default/virtualmachineimages/"+path.Base(req.URL.Path)]
	status, _ := parsed("x", `"status":{`+statusOf("True")+`}`)["status"].(map[string]any)
	status["size"] = received
	image["status"] = status
	w.version(image)
}

// statusOf is the status of an image whose Imported condition is that.
func statusOf(imported string) string {
	return fmt.Sprintf(`"progress":40,"size":4096,"virtualSize":4096,"storageClassName":"longhorn-a","conditions":[{"type":"Initialized","status":"True"},{"type":"Imported","status":%q}]`, imported)
}

func failure(code int, reason string) (int, any) {
	return code, map[string]any{"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason, "message": reason}
}

// merge is a merge patch (RFC 7386).
func merge(object, patch map[string]any) {
	for key, value := range patch {
		into, isMap := object[key].(map[string]any)
		from, also := value.(map[string]any)
		switch {
		case value == nil:
			delete(object, key)
		case isMap && also:
			merge(into, from)
		default:
			object[key] = value
		}
	}
}

// in says whether one of the texts holds the word.
func in(t *testing.T, texts []string, word string) bool {
	t.Helper()
	return slices.ContainsFunc(texts, func(text string) bool { return strings.Contains(text, word) })
}

// unread says that what seenOnce announced was not read.
func (w *world) unread(at string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.stale[at] != nil
}
