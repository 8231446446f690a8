// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

// Package rancher stands for the part of Rancher that a fresh cluster is first met
// through: logging in as admin, changing the password, and a kubeconfig. It follows
// what Rancher 2.12 answers; a fault moves the login to where Rancher 2.13 has it.
//
// There are as many of them as tests want: each name below Path is a cluster of its own that nobody
// has logged in to yet.
package rancher

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
)

// Path is where the clusters with a name are served. The sandbox itself is the one without.
const Path = "/sandbox/rancher/"

// Admin is the user that a fresh cluster has, Initial its password.
const (
	Admin   = "admin"
	Initial = "admin"
)

// shortest is how many characters a password has at least.
const shortest = 12

// Clusters are the fresh clusters.
type Clusters struct {
	// Kubeconfig is what a cluster gives out.
	Kubeconfig func() (string, error)

	mu    sync.Mutex
	named map[string]*cluster
}

// Faults is what goes wrong with one cluster.
type Faults struct {
	// Status answers everything but the faults, as a proxy would.
	Status int `json:"status,omitempty"`
	// NewLogin serves the login at the path of Rancher 2.13 only.
	NewLogin bool `json:"newLogin,omitempty"`
	// RefuseChange refuses every change of the password with this message.
	RefuseChange string `json:"refuseChange,omitempty"`
	// NoKubeconfig fails to make a kubeconfig.
	NoKubeconfig bool `json:"noKubeconfig,omitempty"`
	// DropAfterChange closes the connection after the password was changed, before the answer.
	DropAfterChange bool `json:"dropAfterChange,omitempty"`
}

// cluster is one of them.
type cluster struct {
	clusters *Clusters

	mu       sync.Mutex
	faults   Faults
	password string
	tokens   map[string]bool
	made     int // kubeconfigs and tokens, in all
}

// Owns says whether a path is one of Rancher's own.
func Owns(path string) bool {
	for _, own := range []string{"/v3-public/", "/v1-public/", "/v3/users", "/v1/management.cattle.io.clusters/"} {
		if strings.HasPrefix(path, own) {
			return true
		}
	}
	return strings.HasPrefix(path, Path)
}

// ServeHTTP implements http.Handler.
func (c *Clusters) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name, path := "", r.URL.Path
	if below, named := strings.CutPrefix(path, Path); named {
		name, path, _ = strings.Cut(below, "/")
		path = "/" + path
	}
	c.cluster(name).serve(w, r, path)
}

func (c *Clusters) cluster(name string) *cluster {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.named == nil {
		c.named = map[string]*cluster{}
	}
	if c.named[name] == nil {
		c.named[name] = &cluster{clusters: c, password: Initial, tokens: map[string]bool{}}
	}
	return c.named[name]
}

func (c *cluster) serve(w http.ResponseWriter, r *http.Request, path string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	action := r.URL.Query().Get("action")
	switch {
	case path == "/faults" && r.Method == http.MethodPut:
		c.setFaults(w, r)
	case path == "/faults":
		answer(w, http.StatusOK, map[string]any{"made": c.made, "password": c.password})
	case c.faults.Status != 0:
		http.Error(w, "upstream connect error", c.faults.Status)
	case r.Method != http.MethodPost:
		refuse(w, http.StatusNotFound, "NotFound", "not found")
	case path == "/v3-public/localProviders/local" && action == "login" && !c.faults.NewLogin,
		path == "/v1-public/login" && c.faults.NewLogin:
		c.login(w, r)
	case path == "/v3/users" && action == "changepassword":
		c.authorized(w, r, c.changePassword)
	case path == "/v1/management.cattle.io.clusters/local" && action == "generateKubeconfig":
		c.authorized(w, r, c.generate)
	default:
		refuse(w, http.StatusNotFound, "NotFound", "not found")
	}
}

func (c *cluster) setFaults(w http.ResponseWriter, r *http.Request) {
	c.faults = Faults{}
	if err := json.NewDecoder(r.Body).Decode(&c.faults); err != nil {
		refuse(w, http.StatusBadRequest, "InvalidBodyContent", err.Error())
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (c *cluster) login(w http.ResponseWriter, r *http.Request) {
	var given struct{ Username, Password, ResponseType string }
	if err := json.NewDecoder(r.Body).Decode(&given); err != nil {
		refuse(w, http.StatusUnprocessableEntity, "InvalidBodyContent", "failed to parse body")
		return
	}
	if given.Username != Admin || given.Password != c.password {
		refuse(w, http.StatusUnauthorized, "Unauthorized", "authentication failed")
		return
	}
	c.made++
	id := fmt.Sprintf("token-%05d", c.made)
	token := id + ":sandbox-rancher-session"
	c.tokens[token] = true
	answer(w, http.StatusCreated, map[string]any{"id": id, "type": "token", "token": token})
}

func (c *cluster) authorized(w http.ResponseWriter, r *http.Request, next http.HandlerFunc) {
	given, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !c.tokens[given] {
		refuse(w, http.StatusUnauthorized, "Unauthorized", "must authenticate")
		return
	}
	next(w, r)
}

func (c *cluster) changePassword(w http.ResponseWriter, r *http.Request) {
	var given struct{ CurrentPassword, NewPassword string }
	err := json.NewDecoder(r.Body).Decode(&given)
	switch {
	case err != nil:
		refuse(w, http.StatusUnprocessableEntity, "InvalidBodyContent", "failed to parse body")
	case c.faults.RefuseChange != "":
		refuse(w, http.StatusUnprocessableEntity, "InvalidBodyContent", c.faults.RefuseChange)
	case given.CurrentPassword != c.password:
		refuse(w, http.StatusUnprocessableEntity, "InvalidBodyContent", "invalid current password")
	case len([]rune(given.NewPassword)) < shortest:
		refuse(w, http.StatusUnprocessableEntity, "InvalidBodyContent", fmt.Sprintf("Password must be at least %d characters", shortest))
	case given.NewPassword == Admin:
		refuse(w, http.StatusUnprocessableEntity, "InvalidBodyContent", "Password cannot be the same as the username")
	default:
		c.password = given.NewPassword
		if c.faults.DropAfterChange {
			panic(http.ErrAbortHandler) // the server closes the connection
		}
		w.WriteHeader(http.StatusOK)
	}
}

func (c *cluster) generate(w http.ResponseWriter, _ *http.Request) {
	kubeconfig, err := c.clusters.Kubeconfig()
	if err != nil || c.faults.NoKubeconfig {
		refuse(w, http.StatusInternalServerError, "ServerError", "failed to generate the kubeconfig")
		return
	}
	c.made++
	answer(w, http.StatusOK, map[string]any{"type": "generateKubeConfigOutput", "baseType": "generateKubeConfigOutput", "config": kubeconfig})
}

// refuse answers as Rancher's API does.
func refuse(w http.ResponseWriter, status int, code, message string) {
	answer(w, status, map[string]any{"baseType": "error", "type": "error", "code": code, "message": message, "status": status})
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}
