// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
)

// asked counts requests by what they are for. It can be used by several at the same time.
type asked struct {
	mu    sync.Mutex
	kinds map[string]int
}

func (a *asked) add(r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.kinds == nil {
		a.kinds = map[string]int{}
	}
	a.kinds[purpose(r)]++
}

// purpose is what a request of a provider that makes images is for.
func purpose(r *http.Request) string {
	query := r.URL.Query()
	switch collection := collectionOf(api.Images, "default"); {
	case query.Get("dryRun") != "":
		return "dry runs"
	case query.Get("action") == "upload":
		return "uploads"
	case r.Method == http.MethodPost:
		return "creations"
	case r.Method == http.MethodPatch:
		return "changes of marks"
	case query.Get("watch") != "":
		return "watches"
	case r.URL.Path == collection:
		return "lists"
	case strings.HasPrefix(r.URL.Path, collection):
		return "reads of images"
	case strings.HasPrefix(r.URL.Path, collectionOf(api.BackingImages, api.NamespaceLonghorn)):
		return "reads of checksums"
	}
	return "others"
}

// take tells what there were, the most frequent first, and how many in all, and begins anew.
func (a *asked) take() (text string, sum int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	var parts []string
	for _, kind := range slices.SortedFunc(maps.Keys(a.kinds), func(one, other string) int {
		return cmp.Or(a.kinds[other]-a.kinds[one], strings.Compare(one, other))
	}) {
		sum += a.kinds[kind]
		parts = append(parts, fmt.Sprintf("%d %s", a.kinds[kind], kind))
	}
	clear(a.kinds)
	return strings.Join(parts, ", "), sum
}
