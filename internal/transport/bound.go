// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package transport

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
)

// What an answer of the API may have at most, in bytes, unpacked. etcd stores objects of
// 1.5 MiB by default. A list is as long as the cluster is large; each of its objects is held in
// memory, so that what is longer would not fit anyway.
const (
	MostOfObject = 64 << 20
	MostOfList   = 1 << 30
)

// TooLargeError is an answer that was not read to its end, because it is larger than any answer
// of the API can be.
type TooLargeError struct {
	// What was asked for: "an object", "a list" or "one event of a watch".
	What string
	// Bound is in bytes.
	Bound int64
}

func (e *TooLargeError) Error() string {
	return fmt.Sprintf("the answer for %s has more than %d MiB and was not read to its end", e.What, e.Bound>>20)
}

// Bounded wraps the round tripper of a client of the Kubernetes API: no answer is larger than its
// kind can be. A watch goes on for ever, so that the bound is that of each event.
func Bounded(over http.RoundTripper) http.RoundTripper {
	return bounded{over, MostOfObject, MostOfList}
}

type bounded struct {
	over         http.RoundTripper
	object, list int64
}

// RoundTrip sends the request and bounds the answer.
func (b bounded) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := b.over.RoundTrip(request)
	if err != nil || response.StatusCode == http.StatusSwitchingProtocols {
		return response, err
	}
	body := &boundedBody{ReadCloser: response.Body, most: b.object, what: "an object"}
	switch {
	case request.Method != http.MethodGet:
	case watches(request):
		body.what, body.events = "one event of a watch", true
	case collection(request.URL.Path):
		body.what, body.most = "a list", b.list
	}
	response.Body = body
	return response, nil
}

// WrappedRoundTripper lets client-go look behind the wrapper.
func (b bounded) WrappedRoundTripper() http.RoundTripper { return b.over }

func watches(request *http.Request) bool {
	value := request.URL.Query().Get("watch")
	return value == "true" || value == "1"
}

// collection says that a path of the Kubernetes API names all objects of a kind, in a namespace or not.
func collection(path string) bool {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	// Rancher's proxy has the API below /k8s/clusters/<name>.
	if i := slices.Index(parts, "apis"); i >= 0 && len(parts) > i+3 {
		parts = parts[i+3:] // after the group and the version
	} else if i := slices.Index(parts, "api"); i >= 0 && len(parts) > i+2 {
		parts = parts[i+2:]
	}
	if len(parts) > 2 && parts[0] == "namespaces" {
		parts = parts[2:]
	}
	return len(parts) == 1
}

// boundedBody ends with an error where the answer should have ended.
type boundedBody struct {
	io.ReadCloser
	what string
	most int64
	// events says that the count begins anew with each line.
	events bool
	read   int64
}

func (b *boundedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.read += int64(n)
	if end := bytes.LastIndexByte(p[:n], '\n'); b.events && end >= 0 {
		b.read = int64(n - end - 1)
	}
	if b.read > b.most {
		return n, &TooLargeError{What: b.what, Bound: b.most}
	}
	return n, err
}
