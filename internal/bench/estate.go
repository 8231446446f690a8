// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
)

// estate stores objects of any kind as Kubernetes does: created, listed, watched and
// read. Images are ready and virtual machines run as soon as they are there.
type estate struct {
	*httptest.Server
	requests atomic.Int64

	mu      sync.Mutex
	version int
	// objects are by path: apis/<group>/<version>/namespaces/<namespace>/<resource>, then by name.
	objects  map[string]map[string]map[string]any
	watchers map[chan []byte]string // to the path they watch
}

func startEstate() *estate {
	e := &estate{objects: map[string]map[string]map[string]any{}, watchers: map[chan []byte]string{}}
	e.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e.requests.Add(1)
		e.serve(w, r)
	}))
	e.EnableHTTP2 = true
	e.StartTLS()
	return e
}

func (e *estate) stop() {
	e.CloseClientConnections()
	e.Close()
}

func (e *estate) serve(w http.ResponseWriter, r *http.Request) {
	collection, name := split(r.URL.Path)
	switch {
	case r.Method == http.MethodPost:
		e.create(w, r, collection)
	case r.Method == http.MethodPatch:
		e.patch(w, r, collection, name)
	case r.Method != http.MethodGet:
		http.Error(w, "not here", http.StatusMethodNotAllowed)
	case name != "":
		e.get(w, collection, name)
	case r.URL.Query().Get("watch") != "":
		e.watch(w, r, collection)
	default:
		e.list(w, r, collection)
	}
}

// split tells the path of a collection from the name of an object in it.
func split(path string) (collection, name string) {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	length := 4 // apis/<group>/<version>/<resource>
	if parts[0] == "api" {
		length--
	}
	if len(parts) > length-1 && parts[length-1] == "namespaces" {
		length += 2
	}
	if len(parts) > length {
		return strings.Join(parts[:length], "/"), parts[length]
	}
	return strings.Join(parts, "/"), ""
}

func (e *estate) get(w http.ResponseWriter, collection, name string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if object, found := e.objects[collection][name]; found {
		answer(w, http.StatusOK, object)
		return
	}
	answer(w, http.StatusNotFound, map[string]any{"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": http.StatusNotFound})
}

func (e *estate) patch(w http.ResponseWriter, r *http.Request, collection, name string) {
	var patch map[string]any
	if err := json.NewDecoder(r.Body).Decode(&patch); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	e.mu.Lock()
	object, found := e.objects[collection][name]
	if found && r.URL.Query().Get("dryRun") == "" {
		e.publish(collection, merged(object, patch))
	}
	e.mu.Unlock()
	e.get(w, collection, name)
}

// merged is an object after a JSON merge patch (RFC 7386). Both stay as they are.
func merged(object, patch map[string]any) map[string]any {
	result := maps.Clone(object)
	if result == nil {
		result = map[string]any{}
	}
	for key, value := range patch {
		switch value := value.(type) {
		case nil:
			delete(result, key)
		case map[string]any:
			member, _ := result[key].(map[string]any)
			result[key] = merged(member, value)
		default:
			result[key] = value
		}
	}
	return result
}

// list answers page by page if it is asked to, in the order of names.
func (e *estate) list(w http.ResponseWriter, r *http.Request, collection string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	objects, begin, metadata := e.objects[collection], r.URL.Query().Get("continue"), map[string]any{"resourceVersion": strconv.Itoa(e.version)}
	names := slices.Sorted(maps.Keys(objects))
	names = names[sort.SearchStrings(names, begin):]
	if limit, err := strconv.Atoi(r.URL.Query().Get("limit")); err == nil && limit > 0 && limit < len(names) {
		metadata["continue"] = names[limit]
		names = names[:limit]
	}
	items := make([]any, 0, len(names))
	for _, name := range names {
		items = append(items, objects[name])
	}
	answer(w, http.StatusOK, map[string]any{"apiVersion": "v1", "kind": "List", "metadata": metadata, "items": items})
}

func (e *estate) create(w http.ResponseWriter, r *http.Request, collection string) {
	var object map[string]any
	if err := json.NewDecoder(r.Body).Decode(&object); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if r.URL.Query().Get("dryRun") != "" {
		answer(w, http.StatusCreated, object)
		return
	}
	resource := collection[strings.LastIndex(collection, "/")+1:]
	if bring := life[resource]; bring != nil {
		for other, companion := range bring(object) {
			e.publish(strings.TrimSuffix(collection, resource)+other, companion)
		}
	}
	answer(w, http.StatusCreated, e.publish(collection, object))
}

// multiply makes more virtual machines, with all that belongs to them, out of the first ones, as workspace.multiply does.
func (e *estate) multiply(from, to int) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	for collection, objects := range e.objects {
		if !strings.Contains(collection, "virtualmachine") || strings.HasSuffix(collection, "images") {
			continue
		}
		for i := from; i < to; i++ {
			object, err := renamed(objects[machineName(i%from)], i%from, i)
			if err != nil {
				return err
			}
			objects[machineName(i)] = object
		}
	}
	return nil
}

func machineName(i int) string { return fmt.Sprintf("vm-%d", i) }

// renamed copies an object of the virtual machine with one index for that with another.
func renamed(object map[string]any, from, to int) (map[string]any, error) {
	text, err := json.Marshal(object)
	if err != nil {
		return nil, err
	}
	name := regexp.MustCompile(`\b` + machineName(from) + `\b`)
	var other map[string]any
	return other, json.Unmarshal(name.ReplaceAll(text, []byte(machineName(to))), &other)
}

// life is what the cluster's controllers would do to a new object: they fill its
// status, and may make other objects, by resource.
var life = map[string]func(object map[string]any) map[string]map[string]any{
	"virtualmachineimages": func(image map[string]any) map[string]map[string]any {
		image["status"] = map[string]any{
			"progress": 100, "size": gib, "virtualSize": gib, "storageClassName": "lh-bench",
			"conditions": []any{map[string]any{"type": "Initialized", "status": "True"}, map[string]any{"type": "Imported", "status": "True"}},
		}
		return nil
	},
	"virtualmachines": func(machine map[string]any) map[string]map[string]any {
		machine["status"] = map[string]any{"created": true, "ready": true, "printableStatus": "Running"}
		metadata, _ := machine["metadata"].(map[string]any)
		metadata["generation"] = 1
		// What the fields' managers note is half of a real object.
		metadata["managedFields"] = []any{map[string]any{"manager": "bench", "fieldsV1": map[string]any{"f:spec": strings.Repeat("x", 4096)}}}
		return map[string]map[string]any{"virtualmachineinstances": {
			"apiVersion": "kubevirt.io/v1", "kind": "VirtualMachineInstance",
			"metadata": map[string]any{"name": metadata["name"], "namespace": metadata["namespace"]},
			"spec":     map[string]any{"domain": map[string]any{"devices": map[string]any{}}, "ballast": strings.Repeat("x", 5120)},
			"status": map[string]any{
				"phase": "Running", "nodeName": "node-1", "conditions": []any{map[string]any{"type": "Ready", "status": "True"}},
				"interfaces": []any{map[string]any{"name": "default", "ipAddress": "10.0.0.1", "mac": "02:00:00:00:00:01"}},
			},
		}}
	},
}

// publish stores an object and tells the watchers. The lock is held.
func (e *estate) publish(collection string, object map[string]any) map[string]any {
	e.version++
	metadata, _ := object["metadata"].(map[string]any)
	name := fmt.Sprint(metadata["name"])
	metadata["uid"], metadata["resourceVersion"] = "uid-"+name, strconv.Itoa(e.version)
	metadata["creationTimestamp"] = "2026-01-01T00:00:00Z"
	if e.objects[collection] == nil {
		e.objects[collection] = map[string]map[string]any{}
	}
	e.objects[collection][name] = object
	for events, watched := range e.watchers {
		if watched == collection {
			events <- change(object)
		}
	}
	return object
}

func change(object map[string]any) []byte {
	line, _ := json.Marshal(map[string]any{"type": "MODIFIED", "object": object})
	return append(line, '\n')
}

// watch sends what is newer than the version asked for, then every change.
func (e *estate) watch(w http.ResponseWriter, r *http.Request, collection string) {
	since, _ := strconv.Atoi(r.URL.Query().Get("resourceVersion"))
	events := make(chan []byte, 10000)
	e.mu.Lock()
	for _, object := range e.objects[collection] {
		metadata, _ := object["metadata"].(map[string]any)
		if version, _ := strconv.Atoi(fmt.Sprint(metadata["resourceVersion"])); version > since {
			events <- change(object)
		}
	}
	e.watchers[events] = collection
	e.mu.Unlock()
	defer func() {
		e.mu.Lock()
		delete(e.watchers, events)
		e.mu.Unlock()
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
