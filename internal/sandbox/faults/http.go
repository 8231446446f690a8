// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package faults

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// Path is where the switch is served.
const Path = "/sandbox/faults"

const maxBody = 1 << 16

// ServeHTTP shows and changes the faults: GET shows all, PUT and DELETE of Path/{namespace}/{name} or Path/* set and
// clear one, DELETE of Path clears all.
func (s *Switch) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+Path, s.serveAll)
	mux.HandleFunc("DELETE "+Path, s.serveClearAll)
	for pattern, key := range map[string]func(*http.Request) string{
		Path + "/*":                  func(*http.Request) string { return Everything },
		Path + "/{namespace}/{name}": func(r *http.Request) string { return Key(r.PathValue("namespace"), r.PathValue("name")) },
	} {
		mux.HandleFunc("PUT "+pattern, func(w http.ResponseWriter, r *http.Request) { s.serveSet(w, r, key(r)) })
		mux.HandleFunc("DELETE "+pattern, func(w http.ResponseWriter, r *http.Request) { s.serveClear(w, key(r)) })
	}
	mux.ServeHTTP(w, r)
}

func (s *Switch) serveAll(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, s.All())
}

func (s *Switch) serveClearAll(w http.ResponseWriter, _ *http.Request) {
	s.ClearAll()
	w.WriteHeader(http.StatusNoContent)
}

func (s *Switch) serveSet(w http.ResponseWriter, r *http.Request, key string) {
	f, err := decode(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		http.Error(w, fmt.Sprintf("fault of %s: %v", key, err), http.StatusBadRequest)
		return
	}
	s.Set(key, f)
	writeJSON(w, f)
}

func (s *Switch) serveClear(w http.ResponseWriter, key string) {
	if !s.Clear(key) {
		http.Error(w, fmt.Sprintf("%s has no fault", key), http.StatusNotFound)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func decode(body io.Reader) (Fault, error) {
	var f Fault
	decoder := json.NewDecoder(body)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&f); err != nil {
		return Fault{}, err
	}
	if decoder.More() {
		return Fault{}, errors.New("more than one JSON value")
	}
	return f, f.Validate()
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	// A client that went away needs no answer.
	_ = json.NewEncoder(w).Encode(v)
}
