// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package cdi

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	uploadv1 "kubevirt.io/containerized-data-importer-api/pkg/apis/upload/v1beta1"
	"kubevirt.io/containerized-data-importer/pkg/token"
)

// TokenPath is where requests for tokens are served.
const TokenPath = "/apis/upload.cdi.kubevirt.io" //nolint:gosec // a path, no credential

const (
	tokenIssuer   = "cdi-apiserver"
	tokenLifetime = 5 * time.Minute
	tokenLeeway   = 10 * time.Second
	tokenResource = "persistentvolumeclaims"
	keySize       = 2048
)

func newKey() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, keySize) }

// Tokens returns CDI's own API, which hands out tokens for uploads, to be served below TokenPath.
func (c *CDI) Tokens() http.Handler {
	version := uploadv1.SchemeGroupVersion
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+TokenPath+"/"+version.Version+"/namespaces/{namespace}/uploadtokenrequests", c.serveToken)
	mux.HandleFunc("GET "+TokenPath, func(w http.ResponseWriter, _ *http.Request) {
		discovery := metav1.GroupVersionForDiscovery{GroupVersion: version.String(), Version: version.Version}
		writeJSON(w, metav1.APIGroup{
			TypeMeta: metav1.TypeMeta{Kind: "APIGroup", APIVersion: "v1"},
			Name:     version.Group,
			Versions: []metav1.GroupVersionForDiscovery{discovery}, PreferredVersion: discovery,
		})
	})
	mux.HandleFunc("GET "+TokenPath+"/"+version.Version, func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, metav1.APIResourceList{
			TypeMeta:     metav1.TypeMeta{Kind: "APIResourceList", APIVersion: "v1"},
			GroupVersion: version.String(),
			APIResources: []metav1.APIResource{{
				Name: "uploadtokenrequests", SingularName: "uploadtokenrequest", Namespaced: true,
				Group: version.Group, Version: version.Version, Kind: "UploadTokenRequest", Verbs: metav1.Verbs{"create"},
			}},
		})
	})
	return mux
}

// serveToken answers a request for a token with itself, and the token in its status.
func (c *CDI) serveToken(w http.ResponseWriter, r *http.Request) {
	const maxBody = 1 << 20
	request := &uploadv1.UploadTokenRequest{}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody)).Decode(request); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	signed, err := c.newToken(types.NamespacedName{Namespace: r.PathValue("namespace"), Name: request.Spec.PvcName})
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	request.Status.Token = signed
	writeJSON(w, request)
}

// newToken is a token for an upload to a claim.
func (c *CDI) newToken(claim types.NamespacedName) (string, error) {
	key, err := c.key()
	if err != nil {
		return "", err
	}
	return token.NewGenerator(tokenIssuer, key, tokenLifetime).Generate(&token.Payload{
		Operation: token.OperationUpload, Namespace: claim.Namespace, Name: claim.Name,
		Resource: metav1.GroupVersionResource{Version: "v1", Resource: tokenResource},
	})
}

// claimOfToken is the claim that a token is for.
func (c *CDI) claimOfToken(signed string) (types.NamespacedName, error) {
	key, err := c.key()
	if err != nil {
		return types.NamespacedName{}, err
	}
	payload, err := token.NewValidator(tokenIssuer, &key.PublicKey, tokenLeeway).Validate(signed)
	if err != nil {
		return types.NamespacedName{}, err
	}
	if payload.Operation != token.OperationUpload || payload.Resource.Resource != tokenResource || payload.Name == "" || payload.Namespace == "" {
		return types.NamespacedName{}, errBadToken
	}
	return types.NamespacedName{Namespace: payload.Namespace, Name: payload.Name}, nil
}

// errBadToken is about a token that is valid, but not for an upload.
var errBadToken = errors.New("token is not for an upload")

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	// A client that went away needs no answer.
	_ = json.NewEncoder(w).Encode(v)
}
