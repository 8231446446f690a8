// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package volume

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
	"github.com/harvester-community/terraform-provider-harvester/internal/session"
)

type values = map[string]any

// fake serves objects by the end of their address.
func fake(t *testing.T, objects map[string]values) *session.Session {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		for end, found := range objects {
			if strings.HasSuffix(r.URL.Path, end) {
				_ = json.NewEncoder(w).Encode(found)
				return
			}
		}
		w.WriteHeader(http.StatusNotFound)
		_, _ = w.Write([]byte(`{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"NotFound","code":404}`))
	}))
	t.Cleanup(server.Close)
	client, err := kube.Connect(kube.Connection{Host: server.URL, Token: "t"}, "test")
	if err != nil {
		t.Fatal(err)
	}
	return session.New(client, session.ChecksError, 1)
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

// What Create would refuse, the plan refuses as well, save what this run may make.
func TestOneListOfChecks(t *testing.T) {
	t.Parallel()
	image := func(backend, imported string) values {
		return values{
			"apiVersion": "harvesterhci.io/v1beta1", "kind": api.KindImage, "metadata": values{"namespace": "default", "name": "iso"},
			"spec": values{"displayName": "iso", "sourceType": "upload", "backend": backend},
			"status": values{"storageClassName": "lh", "virtualSize": 1 << 20, "conditions": []any{
				values{"type": "Initialized", "status": "True"}, values{"type": "Imported", "status": imported},
			}},
		}
	}
	class := func(isDefault, modes string) values {
		return values{"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": values{
			"name": "lh", "annotations": values{api.AnnotationDefaultClass: isDefault, api.AnnotationClassModes: modes},
		}}
	}
	classes := func(items ...any) values {
		return values{"apiVersion": "storage.k8s.io/v1", "kind": "StorageClassList", "items": items}
	}
	claim := values{"apiVersion": "v1", "kind": kindClaim, "metadata": values{"namespace": "default", "name": "iso"}, "spec": values{
		"resources": values{"requests": values{"storage": "2Gi"}},
	}}
	const aClass, anImage, aClaim = "/storageclasses/lh", "/virtualmachineimages/iso", "/persistentvolumeclaims/iso"
	text := types.StringValue
	for name, test := range map[string]struct {
		objects     map[string]values
		change      func(m *model)
		plan, apply string
	}{
		"blank": {map[string]values{aClass: class("", "")}, func(m *model) { m.StorageClassName = text("lh") }, "", ""},
		"no class": {
			nil, func(m *model) { m.StorageClassName = text("lh") },
			"Warning Storage class not found storage_class_name", "Error Storage class not found storage_class_name",
		},
		"no default class": {
			map[string]values{"/storageclasses": classes()},
			func(*model) {},
			"Warning No default storage class storage_class_name", "Error No default storage class storage_class_name",
		},
		"the default class": {
			map[string]values{"/storageclasses": classes(class("true", `{"Filesystem":["ReadWriteOnce"]}`))},
			func(*model) {},
			"Error Mode not offered by the storage class volume_mode", "Error Mode not offered by the storage class volume_mode",
		},
		"image": {map[string]values{anImage: image("", "True"), aClass: class("", "")}, func(m *model) { m.Image = text("iso") }, "", ""},
		"image not ready": {
			map[string]values{anImage: image("", "Unknown")},
			func(m *model) { m.Image = text("iso") },
			"Error Image is not ready image", "Error Image is not ready image",
		},
		"image of another class": {
			map[string]values{anImage: image("", "True"), aClass: class("", "")},
			func(m *model) { m.Image, m.StorageClassName = text("iso"), text("fast") },
			"Error Storage class does not fit the image storage_class_name", "Error Storage class does not fit the image storage_class_name",
		},
		"copy too small": {
			map[string]values{anImage: image("cdi", "True"), aClass: class("", ""), aClaim: claim},
			func(m *model) { m.Image = text("iso") },
			"Error Volume smaller than its image's size", "Error Volume smaller than its image's size",
		},
		"copy": {
			map[string]values{anImage: image("cdi", "True"), aClass: class("", ""), aClaim: claim},
			func(m *model) { m.Image, m.Size = text("iso"), text("3Gi") },
			"", "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := clientsOf(fake(t, test.objects))
			m := model{Size: text("1Gi"), VolumeMode: text("Block"), AccessMode: text("ReadWriteMany")}
			m.Namespace, m.Name = text("default"), text("data")
			test.change(&m)
			if _, diags := (&judging{clients: c, plan: &m}).basis(t.Context()); heads(diags) != test.plan {
				t.Errorf("at plan: got %q, want %q", heads(diags), test.plan)
			}
			b, diags := (&judging{clients: c, plan: &m, applying: true}).basis(t.Context())
			if heads(diags) != test.apply {
				t.Errorf("at apply: got %q, want %q", heads(diags), test.apply)
			}
			if test.apply == "" && (b.class == nil || (b.image == nil) != m.Image.IsNull()) {
				t.Errorf("at apply: got %+v", b)
			}
		})
	}
}

// In a namespace that is not known yet, nobody knows which image a short name means.
func TestShortImageNameInAnUnknownNamespace(t *testing.T) {
	t.Parallel()
	c := clientsOf(fake(t, nil))
	m := model{Size: types.StringValue("1Gi"), Image: types.StringValue("iso"), StorageClassName: types.StringUnknown()}
	m.Namespace, m.Name = types.StringUnknown(), types.StringValue("data")
	if _, diags := (&judging{clients: c, plan: &m}).basis(t.Context()); len(diags) > 0 {
		t.Errorf("got %s", heads(diags))
	}
}
