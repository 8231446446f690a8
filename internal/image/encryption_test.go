// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package image

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
	"github.com/harvester-community/terraform-provider-harvester/internal/session"
	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
)

// object is anything the cluster has.
type object = map[string]any

func class(name, isDefault string, parameters map[string]string) object {
	return object{
		"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "provisioner": "driver.longhorn.io", "parameters": parameters,
		"metadata": object{"name": name, "annotations": object{api.AnnotationDefaultClass: isDefault}},
	}
}

func locked() map[string]string {
	parameters := map[string]string{"encrypted": "true"}
	for _, use := range []string{"provisioner", "node-stage", "node-publish"} {
		parameters["csi.storage.k8s.io/"+use+"-secret-name"] = "crypto"
		parameters["csi.storage.k8s.io/"+use+"-secret-namespace"] = "vault"
	}
	return parameters
}

// Addresses of the fake cluster.
const (
	allClasses = "/apis/storage.k8s.io/v1/storageclasses"
	aClass     = allClasses + "/locked"
	aSecret    = "/api/v1/namespaces/vault/secrets/crypto"
)

// fake serves objects by their address; a number is an answer without one.
func fake(t *testing.T, objects map[string]any) *kube.Client {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		found, ok := objects[r.URL.Path]
		if !ok {
			found = http.StatusNotFound
		}
		if status, ok := found.(int); ok {
			w.WriteHeader(status)
			found = object{"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": status, "reason": map[int]string{404: "NotFound", 403: "Forbidden"}[status]}
		}
		_ = json.NewEncoder(w).Encode(found)
	}))
	t.Cleanup(server.Close)
	client, err := kube.Connect(kube.Connection{Host: server.URL, Token: "t"}, "test")
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// What the webhooks of a real cluster do not let happen, or what only the order of a run decides.
func TestEncryptionAtPlanAndApply(t *testing.T) {
	t.Parallel()
	good := object{"kind": "Secret", "apiVersion": "v1", "metadata": object{"namespace": "vault", "name": "crypto"}, "stringData": object{}, "data": map[string][]byte{
		"CRYPTO_KEY_VALUE": []byte("x"), "CRYPTO_KEY_PROVIDER": []byte("secret"), "CRYPTO_KEY_CIPHER": []byte("aes-xts-plain64"),
		"CRYPTO_KEY_HASH": []byte("sha256"), "CRYPTO_KEY_SIZE": []byte("256"), "CRYPTO_PBKDF": []byte("argon2i"),
	}}
	bad := maps.Clone(good)
	bad["data"] = map[string][]byte{}
	list := func(items ...object) object {
		return object{"kind": "StorageClassList", "apiVersion": "storage.k8s.io/v1", "items": items}
	}
	const encrypt, decrypt = api.CryptoEncrypt, api.CryptoDecrypt
	for name, test := range map[string]struct {
		objects   map[string]any
		operation string
		class     types.String
		checks    session.PlanChecks
		promised  bool
		plan      string // severity, summary and argument; empty if accepted
		apply     string
	}{
		"right":                     {map[string]any{aClass: class("locked", "", locked()), aSecret: good}, encrypt, types.StringValue("locked"), "", false, "", ""},
		"no class":                  {nil, encrypt, types.StringValue("locked"), "", false, "Warning Storage class not found storage_class_name", "Error Storage class not found storage_class_name"},
		"class to come":             {nil, encrypt, types.StringValue("locked"), "", true, "", "Error Storage class not found storage_class_name"},
		"class made anew":           {map[string]any{aClass: class("locked", "", nil)}, encrypt, types.StringValue("locked"), "", true, "", "Error Storage class is not for encryption storage_class_name"},
		"class not known yet":       {nil, encrypt, types.StringUnknown(), "", false, "", ""},
		"class cannot be read":      {map[string]any{aClass: 403}, encrypt, types.StringValue("locked"), "", false, "", ""},
		"no secret":                 {map[string]any{aClass: class("locked", "", locked())}, encrypt, types.StringValue("locked"), "", false, "Warning Encryption secret not found storage_class_name", "Error Encryption secret not found storage_class_name"},
		"wrong secret":              {map[string]any{aClass: class("locked", "", locked()), aSecret: bad}, encrypt, types.StringValue("locked"), "", false, "Error Encryption secret not usable storage_class_name", "Error Encryption secret not usable storage_class_name"},
		"wrong secret, warn":        {map[string]any{aClass: class("locked", "", locked()), aSecret: bad}, encrypt, types.StringValue("locked"), session.ChecksWarn, false, "Warning Encryption secret not usable storage_class_name", "Error Encryption secret not usable storage_class_name"},
		"wrong secret, off":         {map[string]any{aClass: class("locked", "", locked()), aSecret: bad}, encrypt, types.StringValue("locked"), session.ChecksOff, false, "", "Error Encryption secret not usable storage_class_name"},
		"secret cannot be read":     {map[string]any{aClass: class("locked", "", locked()), aSecret: 403}, encrypt, types.StringValue("locked"), "", false, "", ""},
		"default is plain":          {map[string]any{allClasses: list(class("locked", "", locked()), class("plain", "true", nil))}, encrypt, types.StringNull(), "", false, "Error Storage class is not for encryption storage_class_name", "Error Storage class is not for encryption storage_class_name"},
		"decrypt":                   {map[string]any{allClasses: list(class("plain", "true", nil)), aSecret: good}, decrypt, types.StringNull(), "", false, "", ""},
		"decrypt, no default":       {map[string]any{allClasses: list(), aSecret: good}, decrypt, types.StringNull(), "", false, "", ""},
		"decrypt, no secret":        {map[string]any{allClasses: list()}, decrypt, types.StringNull(), "", false, "Warning Encryption secret not found source_image", "Error Encryption secret not found source_image"},
		"decrypt, wrong secret":     {map[string]any{allClasses: list(), aSecret: bad}, decrypt, types.StringNull(), "", false, "Error Encryption secret not usable source_image", "Error Encryption secret not usable source_image"},
		"decrypt, default encrypts": {map[string]any{allClasses: list(class("locked", "true", locked())), aSecret: good}, decrypt, types.StringNull(), "", false, "Error Storage class is for encryption storage_class_name", "Error Storage class is for encryption storage_class_name"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			source := object{
				"apiVersion": "harvesterhci.io/v1beta1", "kind": "VirtualMachineImage", "metadata": object{"namespace": "vault", "name": "plain"},
				"spec": object{"storageClassParameters": locked()},
			}
			objects := map[string]any{"/apis/harvesterhci.io/v1beta1/namespaces/vault/virtualmachineimages/plain": source}
			maps.Copy(objects, test.objects)
			if test.checks == "" {
				test.checks = session.ChecksError
			}
			s := session.New(fake(t, objects), test.checks, 1)
			if test.promised {
				s.Classes.Add("locked")
			}
			r := lifecycle{Base: tfbase.Base{Session: s}, form: clone{test.operation}}
			r.images = kube.For[api.VirtualMachineImage](s.Client, api.Images, api.KindImage)
			own := fullClone()
			own.StorageClassName = test.class
			m := clone{test.operation}.image(&own)

			if got := heads(r.planEncryption(t.Context(), &m, r.plannedSource(t.Context(), &m))); got != test.plan {
				t.Errorf("at plan: got %q, want %q", got, test.plan)
			}
			image, err := r.images.Get(t.Context(), "vault", "plain")
			if err != nil {
				t.Fatal(err)
			}
			if got := heads(r.applyEncryption(t.Context(), &m, image)); got != test.apply {
				t.Errorf("at apply: got %q, want %q", got, test.apply)
			}
		})
	}
}

func heads(diags diag.Diagnostics) string {
	texts := make([]string, 0, len(diags))
	for _, d := range diags {
		at := ""
		if d, ok := d.(diag.DiagnosticWithPath); ok {
			at = d.Path().String()
		}
		texts = append(texts, strings.TrimSpace(d.Severity().String()+" "+d.Summary()+" "+at))
	}
	return strings.Join(texts, "; ")
}

// The data of such an image arrives as it is, so the class would be of no use.
func TestPlainClassWarns(t *testing.T) {
	t.Parallel()
	objects := map[string]any{aClass: class("locked", "", locked()), allClasses + "/plain": class("plain", "", nil)}
	r := lifecycle{Base: tfbase.Base{Session: session.New(fake(t, objects), session.ChecksError, 1)}, form: plain{}}
	for name, test := range map[string]struct {
		source, class types.String
		backend, want string
	}{
		"plain":            {types.StringValue("upload"), types.StringValue("plain"), "", ""},
		"encrypted":        {types.StringValue("upload"), types.StringValue("locked"), "", "Warning Storage class is for encryption storage_class_name"},
		"backend cdi":      {types.StringValue("upload"), types.StringValue("locked"), "cdi", ""},
		"missing":          {types.StringValue("upload"), types.StringValue("nowhere"), "", ""},
		"unknown class":    {types.StringValue("upload"), types.StringUnknown(), "", ""},
		"unknown source":   {types.StringUnknown(), types.StringValue("locked"), "", ""},
		"not said of what": {types.StringValue("clone"), types.StringValue("locked"), "", ""},
	} {
		m := model{SourceType: test.source, StorageClassName: test.class, Backend: types.StringValue(test.backend), SecurityParameters: types.MapUnknown(types.StringType)}
		if got := heads(r.planEncryption(t.Context(), &m, nil)); got != test.want {
			t.Errorf("%s: got %q, want %q", name, got, test.want)
		}
	}
}
