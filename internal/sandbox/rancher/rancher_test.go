// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package rancher

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestFirstContact(t *testing.T) {
	clusters := &Clusters{Kubeconfig: func() (string, error) { return "kind: Config", nil }}
	server := httptest.NewServer(clusters)
	defer server.Close()
	token := ""
	ask := func(method, path, body string) int {
		request, _ := http.NewRequest(method, server.URL+path, strings.NewReader(body))
		request.Header.Set("Authorization", "Bearer "+token)
		response, err := server.Client().Do(request)
		if err != nil {
			return 0
		}
		defer func() { _ = response.Body.Close() }()
		var found struct{ Token string }
		_ = json.NewDecoder(response.Body).Decode(&found)
		if found.Token != "" {
			token = found.Token
		}
		return response.StatusCode
	}
	const (
		login    = Path + "a/v3-public/localProviders/local?action=login"
		newLogin = Path + "a/v1-public/login"
		change   = Path + "a/v3/users?action=changepassword"
		generate = Path + "a/v1/management.cattle.io.clusters/local?action=generateKubeconfig"
		faults   = Path + "a/faults"
		long     = "a long password"
	)
	for i, step := range []struct {
		method, path, body string
		want               int
	}{
		{http.MethodPost, generate, "{}", 401},
		{http.MethodPost, login, `{"username":"admin","password":"wrong"}`, 401},
		{http.MethodPost, login, `{"username":"admin","password":"admin"}`, 201},
		{http.MethodPost, newLogin, `{"username":"admin","password":"admin"}`, 404},
		{http.MethodPost, change, `{"currentPassword":"admin","newPassword":"short"}`, 422},
		{http.MethodPost, change, `{"currentPassword":"other","newPassword":"` + long + `"}`, 422},
		{http.MethodPut, faults, `{"dropAfterChange":true}`, 204},
		{http.MethodPost, change, `{"currentPassword":"admin","newPassword":"` + long + `"}`, 0},
		{http.MethodPut, faults, `{"newLogin":true}`, 204},
		{http.MethodPost, login, `{"username":"admin","password":"` + long + `"}`, 404},
		{http.MethodPost, newLogin, `{"username":"admin","password":"admin"}`, 401},
		{http.MethodPost, newLogin, `{"username":"admin","password":"` + long + `"}`, 201},
		{http.MethodPost, generate, "{}", 200},
		{http.MethodPut, faults, `{"status":503}`, 204},
		{http.MethodPost, generate, "{}", 503},
		{http.MethodPost, strings.Replace(generate, "/a/", "/b/", 1), "{}", 401},
	} {
		if got := ask(step.method, step.path, step.body); got != step.want {
			t.Errorf("step %d, %s: got %d, want %d", i, step.path, got, step.want)
		}
	}
	if !Owns("/v3/users") || Owns("/v1/harvester/x") || Owns("/v1/management.cattle.io.settings") {
		t.Error("it takes paths of others, or leaves its own")
	}
}
