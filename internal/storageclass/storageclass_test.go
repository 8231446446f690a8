// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package storageclass

import (
	"context"
	"encoding/json"
	"errors"
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/tfsdk"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/objects"
	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
)

// Classes made by other hands may lack every optional field; the official provider panics.
func TestReadBareClass(t *testing.T) {
	t.Parallel()
	var m model
	if diags := tfbase.Fill[model, storagev1.StorageClass, *model, *storagev1.StorageClass](t.Context(), &m, &storagev1.StorageClass{ObjectMeta: metav1.ObjectMeta{Name: "bare"}, Provisioner: "example.com/csi"}); diags.HasError() {
		t.Fatal(diags)
	}
	if m.AllowVolumeExpansion.ValueBool() || m.IsDefault.ValueBool() || m.ReclaimPolicy.ValueString() != "Delete" ||
		m.VolumeBindingMode.ValueString() != "Immediate" || m.Parameters.IsNull() || m.AllowedTopologies.IsNull() || m.State.ValueString() != "Ready" {
		t.Errorf("%+v", m)
	}
}

// The topologies survive the way there and back.
func TestTopologies(t *testing.T) {
	t.Parallel()
	var class storagev1.StorageClass
	const wanted = `[{"matchLabelExpressions":[{"key":"zone","values":["a","b"]},{"key":"disk","values":["ssd"]}]}]`
	if err := json.Unmarshal([]byte(`{"allowedTopologies":`+wanted+`}`), &class); err != nil {
		t.Fatal(err)
	}
	var m model
	if diags := tfbase.Fill[model, storagev1.StorageClass, *model, *storagev1.StorageClass](t.Context(), &m, &class); diags.HasError() {
		t.Fatal(diags)
	}
	terms, diags := m.topologies(t.Context())
	got, err := json.Marshal(terms)
	if diags.HasError() || err != nil || string(got) != wanted {
		t.Errorf("got %s (%v, %v)", got, diags, err)
	}
}

// The official provider sends neither false.
func TestPatch(t *testing.T) {
	t.Parallel()
	class := func(isDefault, expands bool, description string) *model {
		m := &model{IsDefault: types.BoolValue(isDefault), AllowVolumeExpansion: types.BoolValue(expands)}
		m.Description = tfbase.Keep(types.StringNull(), description)
		return m
	}
	for want, pair := range map[string][2]*model{
		`{}`: {class(true, true, "a"), class(true, true, "a")},
		`{"metadata":{"annotations":{"storageclass.kubernetes.io/is-default-class":"false"}}}`: {class(true, true, "a"), class(false, true, "a")},
		`{"metadata":{"annotations":{"storageclass.kubernetes.io/is-default-class":"true"}}}`:  {class(false, true, ""), class(true, true, "")},
		`{"allowVolumeExpansion":false}`: {class(false, true, ""), class(false, false, "")},
		`{"metadata":{"annotations":{"field.cattle.io/description":null,"storageclass.kubernetes.io/is-default-class":"false"}}}`: {class(true, true, "a"), class(false, true, "")},
	} {
		patch, diags := tfbase.Changes[model, storagev1.StorageClass](t.Context(), pair[1], pair[0])
		got, err := json.Marshal(patch)
		if diags.HasError() || err != nil || string(got) != want {
			t.Errorf("got %s, want %s (%v, %v)", got, want, diags, err)
		}
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	held := errors.New(`admission webhook denied the request: default storage class harvester-longhorn already exists, please reset it first before set own as default`)
	secret := errors.New(`denied the request: secret default/key not found`)
	used := errors.New(`storage class own is used by virtual machine images: [ubuntu debian]`)
	if got := defaultHolder(held); got != "harvester-longhorn" {
		t.Errorf("the default class is %q", got)
	}
	if defaultHolder(secret) != "" || defaultHolder(nil) != "" || !secretUnnoticed(secret) || secretUnnoticed(held) || secretUnnoticed(nil) {
		t.Error("a refusal is taken for another")
	}
	if !usedByImages(used) || usedByImages(held) {
		t.Error("images in use are not seen, or where there are none")
	}
}

// What identifies a class is what cannot change in it.
func TestIntent(t *testing.T) {
	t.Parallel()
	class := &storagev1.StorageClass{Parameters: map[string]string{"a": "b"}}
	base := objects.Fingerprint(Kind.Intent(class)...)
	class.Annotations, class.Labels = map[string]string{api.AnnotationDescription: "text"}, map[string]string{"a": "b"}
	if objects.Fingerprint(Kind.Intent(class)...) != base {
		t.Error("a description makes another class")
	}
	class.Parameters["a"] = "c"
	if objects.Fingerprint(Kind.Intent(class)...) == base {
		t.Error("other parameters make the same class")
	}
}

// A state as the official provider 1.8 writes it.
func TestUpgradeOfficialState(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	const state = `{
		"allow_volume_expansion": true,
		"allowed_topologies": [{"match_label_expressions": [{"key": "zone", "values": ["a"]}]}],
		"description": "", "id": "fast", "is_default": false, "labels": {}, "message": null, "name": "fast",
		"parameters": {"migratable": "true"}, "reclaim_policy": "Delete", "state": null, "tags": {}, "timeouts": null,
		"volume_binding_mode": "Immediate", "volume_provisioner": "driver.longhorn.io"
	}`
	resp := &resource.UpgradeStateResponse{}
	Kind.NewResource().(resource.ResourceWithUpgradeState).UpgradeState(ctx)[0].StateUpgrader(ctx, resource.UpgradeStateRequest{RawState: &tfprotov6.RawState{JSON: []byte(state)}}, resp)
	if resp.Diagnostics.HasError() {
		t.Fatal(resp.Diagnostics)
	}
	s := classSchema()
	raw, err := resp.DynamicValue.Unmarshal(s.Type().TerraformType(ctx))
	if err != nil {
		t.Fatal(err)
	}
	var m model
	if diags := (tfsdk.State{Schema: s, Raw: raw}).Get(ctx, &m); diags.HasError() {
		t.Fatal(diags)
	}
	terms, diags := m.topologies(ctx)
	if diags.HasError() || len(terms) != 1 || terms[0].MatchLabelExpressions[0].Key != "zone" {
		t.Errorf("topologies: %+v, %v", terms, diags)
	}
	if !m.Description.IsNull() || !m.Labels.IsNull() || m.IsDefault.IsNull() || !m.AllowVolumeExpansion.ValueBool() || m.ID.ValueString() != "fast" {
		t.Errorf("%+v", m)
	}
}
