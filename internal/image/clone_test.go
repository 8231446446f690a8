// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package image

import (
	"context"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/imagestate"
	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
)

// held is a plan or a state that holds a clone.
type held struct{ own *cloneModel }

func (h *held) Get(_ context.Context, target any) diag.Diagnostics {
	*target.(*cloneModel) = *h.own
	return nil
}

func (h *held) Set(_ context.Context, value any) diag.Diagnostics {
	h.own = value.(*cloneModel)
	return nil
}

func fullClone() cloneModel {
	return cloneModel{
		ID: types.StringValue("default/locked"), Name: types.StringValue("locked"), Namespace: types.StringValue("default"),
		Description: types.StringValue("text"), Tags: tfbase.StringMap(map[string]string{"os": "linux"}), Labels: tfbase.StringMap(map[string]string{"team": "blue"}),
		DisplayName: types.StringValue("Locked"), SourceImage: types.StringValue("vault/plain"), StorageClassName: types.StringValue("crypto"),
		Retry: types.Int64Value(2), StallTimeout: types.StringValue("7m"), State: types.StringValue("Active"), Message: types.StringValue(""),
		Progress: types.Int64Value(100), Size: types.Int64Value(1), VirtualSize: types.Int64Value(2),
		StorageClassParameters: tfbase.StringMap(map[string]string{"encrypted": "true"}), VolumeStorageClassName: types.StringValue("lh-1"),
		Timeouts: &tfbase.Timeouts{Create: types.StringValue("2h")},
	}
}

func TestCloneIsAnImageAndBack(t *testing.T) {
	t.Parallel()
	for name, source := range map[string]types.String{"known": types.StringValue("vault/plain"), "unknown": types.StringUnknown(), "null": types.StringNull()} {
		want := fullClone()
		want.SourceImage = source
		from, to := &held{&want}, &held{}
		var m model
		form := clone{api.CryptoDecrypt}
		form.read(t.Context(), from, &m)
		form.write(t.Context(), &m, to)
		if got := to.own; got.SourceImage != source || got.Timeouts != want.Timeouts || !got.Labels.Equal(want.Labels) || !got.Tags.Equal(want.Tags) ||
			!got.StorageClassParameters.Equal(want.StorageClassParameters) || scalars(got) != scalars(&want) {
			t.Errorf("%s: got  %+v\nwant %+v", name, got, want)
		}
	}
}

func scalars(m *cloneModel) [14]any {
	return [...]any{
		m.ID, m.Name, m.Namespace, m.Description, m.DisplayName, m.StorageClassName, m.Retry, m.StallTimeout, m.State, m.Message,
		m.Progress, m.Size, m.VirtualSize, m.VolumeStorageClassName,
	}
}

func TestCloneMeansItsOperationOnItsSource(t *testing.T) {
	t.Parallel()
	own := fullClone()
	for operation, want := range map[string]imagestate.Operation{api.CryptoEncrypt: imagestate.Encrypt, api.CryptoDecrypt: imagestate.Decrypt} {
		m := clone{operation}.image(&own)
		if use, known := m.sourceUse(); !known || use.Image != "vault/plain" || use.Operation != want {
			t.Errorf("%s: got %+v, %v", operation, use, known)
		}
		object, diags := m.toAPI(t.Context())
		if diags.HasError() || object.Spec.SourceType != "clone" || *object.Spec.SecurityParameters != (api.ImageSecurityParameters{
			CryptoOperation: operation, SourceImageName: "plain", SourceImageNamespace: "vault",
		}) {
			t.Errorf("%s: got %+v, %v", operation, object.Spec, diags)
		}
	}
	own.SourceImage = types.StringUnknown()
	m := clone{api.CryptoEncrypt}.image(&own)
	if _, known := m.sourceUse(); known || m.operation() != imagestate.Encrypt || m.known() {
		t.Error("of a source that is not known yet, only the operation is")
	}
}

func madeBy(sourceType, operation string) *api.VirtualMachineImage {
	image := &api.VirtualMachineImage{Spec: api.VirtualMachineImageSpec{SourceType: sourceType}}
	image.Namespace, image.Name = "default", "x"
	if operation != "" {
		image.Spec.SecurityParameters = &api.ImageSecurityParameters{CryptoOperation: operation, SourceImageName: "plain", SourceImageNamespace: "vault"}
	}
	return image
}

// An image of another kind is not imported; one that others put in the place of ours is planned to be replaced.
func TestCloneStandsForItsKindOnly(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		image  *api.VirtualMachineImage
		source types.String
		hint   string
	}{
		"encrypted": {madeBy("clone", "encrypt"), types.StringValue("vault/plain"), ""},
		"decrypted": {madeBy("clone", "decrypt"), types.StringNull(), "terraform import harvester_decrypted_image.<name> default/x"},
		"uploaded":  {madeBy("upload", ""), types.StringNull(), "terraform import harvester_image.<name> default/x"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			form, own := clone{api.CryptoEncrypt}, fullClone()
			m := form.image(&own)
			m.fromAPI(test.image)
			if got := form.own(&m).SourceImage; got != test.source {
				t.Errorf("source_image: got %s, want %s", got, test.source)
			}
			said := ""
			for _, d := range form.mismatch(test.image) {
				said += d.Detail()
			}
			if (said == "") != (test.hint == "") || !strings.Contains(said, test.hint) {
				t.Errorf("got %q, want %q", said, test.hint)
			}
		})
	}
}

// A clone of another image is another image, even if the names are the same.
func TestIntentTellsSourcesApart(t *testing.T) {
	t.Parallel()
	own := fullClone()
	m := clone{api.CryptoEncrypt}.image(&own)
	object, _ := m.toAPI(t.Context())
	first, second := madeBy("upload", ""), madeBy("upload", "")
	first.UID, second.UID = "1", "2"
	if intent(object.Spec, material{source: first}) == intent(object.Spec, material{source: second}) {
		t.Error("the source's identity does not count")
	}
	later := object.Spec
	retry := int64(9)
	later.Retry = &retry
	if intent(object.Spec, material{source: first}) != intent(later, material{source: first}) {
		t.Error("retry can change later and must not count")
	}
}
