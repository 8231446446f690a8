// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package kube

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

func TestPutSubresource(t *testing.T) {
	gvr := schema.GroupVersionResource{Group: "kubevirt.io", Version: "v1", Resource: "virtualmachines"}
	for name, test := range map[string]struct {
		code int
		body string
		want func(error) bool
	}{
		"accepted without a word": {http.StatusAccepted, "", func(err error) bool { return err == nil }},
		"conflict": {
			http.StatusConflict, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Conflict","code":409,"message":"VM is not running"}`,
			func(err error) bool { return apierrors.IsConflict(err) && err.Error() == "VM is not running" },
		},
		"not found, in plain text": {http.StatusNotFound, "404 page not found", apierrors.IsNotFound},
		"proxy":                    {http.StatusBadGateway, "<html>", func(err error) bool { return err != nil }},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				const want = "PUT /k8s/clusters/local/apis/subresources.kubevirt.io/v1/namespaces/default/virtualmachines/vm/restart"
				if got := r.Method + " " + r.URL.Path; got != want || string(body) != "{}" {
					t.Errorf("got %s with %q", got, body)
				}
				w.WriteHeader(test.code)
				_, _ = io.WriteString(w, test.body)
			}))
			defer server.Close()
			client, err := Connect(Connection{Host: server.URL + "/k8s/clusters/local", Token: "t", Insecure: true}, "test")
			if err != nil {
				t.Fatal(err)
			}
			ctx, stop := context.WithTimeout(t.Context(), time.Second) // that of a proxy is worth another try
			defer stop()
			if err := client.PutSubresource(ctx, gvr, "default", "vm", "restart"); !test.want(err) {
				t.Errorf("got %v", err)
			}
		})
	}
}
