// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package image

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/imagestate"
	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
	"github.com/harvester-community/terraform-provider-harvester/internal/transfer"
	"github.com/harvester-community/terraform-provider-harvester/internal/transport"
)

func TestGoals(t *testing.T) {
	t.Parallel()
	const goOn, done, fail = "go on", "done", "fail"
	for name, test := range map[string]struct {
		image                          imagestate.Image
		followed, receptive, verified1 string // verified with one failure before
	}{
		"initializing":           {imagestate.Image{State: imagestate.Initializing}, goOn, goOn, goOn},
		"awaits data":            {imagestate.Image{State: imagestate.Uploading, AwaitsData: true}, goOn, done, goOn},
		"arriving":               {imagestate.Image{State: imagestate.Uploading, Progress: 40, Attempts: 1}, goOn, goOn, goOn},
		"ready":                  {imagestate.Image{State: imagestate.Active, Attempts: 3}, done, done, done},
		"refused, starting over": {imagestate.Image{State: imagestate.Uploading, AwaitsData: true, Attempts: 2}, goOn, done, fail},
		"cleared by Harvester":   {imagestate.Image{State: imagestate.Uploading, Attempts: 2, Message: "backing image vmi-1 is being deleted"}, goOn, goOn, fail},
		"upload broke":           {imagestate.Image{State: imagestate.Failed, Attempts: 1}, goOn, goOn, goOn},
		"failed for good":        {imagestate.Image{State: imagestate.Failed, Terminal: true, Attempts: 4}, fail, fail, fail},
		"being deleted":          {imagestate.Image{State: imagestate.Terminating, Terminal: true}, fail, fail, fail},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for goalName, row := range map[string]struct {
				goal goal
				want string
			}{"followed": {followed, test.followed}, "receptive": {receptive, test.receptive}, "verified": {verified(1), test.verified1}} {
				got := goOn
				if ok, err := row.goal(test.image); err != nil {
					got = fail
				} else if ok {
					got = done
				}
				if got != row.want {
					t.Errorf("%s: got %s, want %s", goalName, got, row.want)
				}
			}
		})
	}
}

// What Harvester clears away by itself is no verdict on the data.
func TestVerifiedTellsClearingFromFailure(t *testing.T) {
	t.Parallel()
	image := imagestate.Image{State: imagestate.Uploading, Attempts: 2, Message: "failed due to error: backing image vmi-1 is being deleted"}
	if _, err := verified(1)(image); !errors.Is(err, errCleared) {
		t.Errorf("clearing away gives %v", err)
	}
	image.Message = "failed due to error: no space left on device"
	if _, err := verified(1)(image); !errors.As(err, new(*failure)) {
		t.Errorf("a failure gives %v", err)
	}
}

func TestWorthRetrying(t *testing.T) {
	t.Parallel()
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	for name, test := range map[string]struct {
		ctx  context.Context //nolint:containedctx // the subject of the test
		err  error
		try  int
		want bool
	}{
		"reset":        {t.Context(), errors.New("connection reset by peer"), 1, true},
		"bad gateway":  {t.Context(), &transfer.StatusError{Code: 502}, 1, true},
		"throttled":    {t.Context(), &transfer.StatusError{Code: 429}, 1, true},
		"forbidden":    {t.Context(), &transfer.StatusError{Code: 403}, 1, false},
		"too large":    {t.Context(), &transfer.StatusError{Code: 413}, 1, false},
		"401, once":    {t.Context(), &transfer.StatusError{Code: 401}, 1, true},
		"401, again":   {t.Context(), &transfer.StatusError{Code: 401}, 2, false},
		"busy":         {t.Context(), &transfer.StatusError{Code: 400, Body: "file x already exists"}, 3, true},
		"bad request":  {t.Context(), &transfer.StatusError{Code: 400}, 1, false},
		"file changed": {t.Context(), &transfer.FileError{Reason: "was modified"}, 1, false},
		"refused":      {t.Context(), &failure{}, 1, false},
		"redirected":   {t.Context(), &transport.RedirectError{}, 1, false},
		"interrupted":  {cancelled, errors.New("connection reset by peer"), 1, false},
	} {
		if got := worthRetrying(test.ctx, test.err, test.try); got != test.want {
			t.Errorf("%s: got %v", name, got)
		}
	}
}

func TestUserOf(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`admission webhook "validator.harvesterhci.io" denied the request: Cannot delete image default/up1.img: being used by volume default/vol1`: "volume default/vol1",
		"Cannot delete image default/x: being used by VMTemplateVersion default/t-1":                                                               "VMTemplateVersion default/t-1",
		"Cannot delete image default/x: being used by VMBackups default/b":                                                                         "VMBackups default/b",
		"something else": "",
	} {
		got := ""
		if u, ok := userOf(errors.New(text)); ok {
			got = u.String()
		}
		if got != want {
			t.Errorf("userOf(%q) = %q, want %q", text, got, want)
		}
	}
}

func full() model {
	return model{
		Name: types.StringValue("ubuntu"), Namespace: types.StringValue("default"), Description: types.StringValue("text"),
		Tags: tfbase.StringMap(map[string]string{"os": "linux"}), Labels: tfbase.StringMap(map[string]string{"team": "blue"}),
		DisplayName: types.StringValue("Ubuntu"), SourceType: types.StringValue("clone"), Backend: types.StringValue("backingimage"),
		SecurityParameters: tfbase.StringMap(map[string]string{keyOperation: "encrypt", keySourceName: "plain", keySourceNamespace: "default"}),
		StorageClassName:   types.StringValue("secret-class"), Retry: types.Int64Value(0), Checksum: types.StringValue("abc"),
		FilePath: types.StringNull(), URL: types.StringNull(),
	}
}

func TestToAPI(t *testing.T) {
	t.Parallel()
	m := full()
	object, diags := m.toAPI(t.Context())
	if diags.HasError() {
		t.Fatal(diags)
	}
	got, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"metadata":{"name":"ubuntu","namespace":"default","labels":{"tag.harvesterhci.io/os":"linux","team":"blue"},` +
		`"annotations":{"field.cattle.io/description":"text","harvesterhci.io/storageClassName":"secret-class"}},` +
		`"spec":{"displayName":"Ubuntu","sourceType":"clone","checksum":"abc","retry":0,` +
		`"securityParameters":{"cryptoOperation":"encrypt","sourceImageName":"plain","sourceImageNamespace":"default"}},"status":{}}`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	m.Retry, m.Backend, m.SecurityParameters = types.Int64Unknown(), types.StringValue("cdi"), types.MapNull(types.StringType)
	object, _ = m.toAPI(t.Context())
	if object.Spec.Retry != nil || object.Spec.Backend != "cdi" || object.Spec.SecurityParameters != nil {
		t.Errorf("got %+v", object.Spec)
	}
}

func TestFromAPIKeepsWhatTheUserLeftOut(t *testing.T) {
	t.Parallel()
	object := &api.VirtualMachineImage{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "ubuntu", Annotations: map[string]string{api.AnnotationStorageClassName: "longhorn"}},
		Spec:       api.VirtualMachineImageSpec{DisplayName: "Ubuntu", SourceType: "upload", Checksum: "abc"},
	}
	known := model{DisplayName: types.StringValue("Ubuntu"), FilePath: types.StringValue("x.img")}
	known.fromAPI(object)
	if !known.Checksum.IsNull() || !known.URL.IsNull() || !known.PVCName.IsNull() || known.FilePath.ValueString() != "x.img" {
		t.Errorf("what is not configured should stay null: %+v", known)
	}
	if known.ID.ValueString() != "default/ubuntu" || known.Backend.ValueString() != "backingimage" || known.StorageClassName.ValueString() != "longhorn" {
		t.Errorf("got %+v", known)
	}
	imported := model{}
	imported.fromAPI(object)
	if imported.Checksum.ValueString() != "abc" {
		t.Error("an import should read the checksum")
	}
}

func TestCheckSourceAndBackend(t *testing.T) {
	t.Parallel()
	text, unknown := types.StringValue("x"), types.StringUnknown()
	for name, test := range map[string]struct {
		config model
		wants  string // the arguments blamed
	}{
		"upload":               {model{SourceType: types.StringValue("upload"), FilePath: text}, ""},
		"upload without file":  {model{SourceType: types.StringValue("upload")}, ""},
		"upload with url":      {model{SourceType: types.StringValue("upload"), FilePath: text, URL: text}, "url"},
		"download":             {model{SourceType: types.StringValue("download"), URL: text}, ""},
		"download, unknown":    {model{SourceType: types.StringValue("download"), URL: unknown, PVCName: unknown}, ""},
		"download without url": {model{SourceType: types.StringValue("download")}, "url"},
		"export, half":         {model{SourceType: types.StringValue("export-from-volume"), PVCName: text}, "pvc_namespace"},
		"clone, nothing":       {model{SourceType: types.StringValue("clone")}, "security_parameters"},
		"cdi":                  {model{SourceType: types.StringValue("upload"), Backend: types.StringValue("cdi")}, "storage_class_name"},
		"cdi, restore":         {model{SourceType: types.StringValue("restore"), URL: text, Backend: types.StringValue("cdi"), StorageClassName: text}, "source_type"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			diags := append(test.config.checkSource(), test.config.checkBackend()...)
			var blamed []string
			for _, d := range diags.Errors() {
				if at, ok := d.(diag.DiagnosticWithPath); ok {
					blamed = append(blamed, at.Path().String())
				}
			}
			if got := strings.Join(blamed, ","); got != test.wants {
				t.Errorf("blamed %q, want %q: %v", got, test.wants, diags)
			}
		})
	}
}

func TestSourceUse(t *testing.T) {
	t.Parallel()
	m := full()
	use, needed := m.sourceUse()
	if !needed || use.Image != "default/plain" || use.Operation != imagestate.Encrypt {
		t.Errorf("got %+v, %v", use, needed)
	}
	m.SourceType = types.StringValue("upload")
	if use, needed := m.sourceUse(); needed {
		t.Errorf("an upload has no source: %+v", use)
	}
}

// official is a state of harvester_image as the official provider writes it: empty
// strings, maps and blocks for what is not configured.
const official = `{
	"backend": "backingimage", "checksum": "", "description": "", "display_name": "ubuntu.img", "file_path": "/images/ubuntu.img",
	"id": "default/ubuntu", "labels": {}, "message": "", "name": "ubuntu", "namespace": "default", "progress": 100,
	"pvc_name": "", "pvc_namespace": "", "security_parameters": {}, "size": 1048576, "source_type": "upload", "state": "Active",
	"storage_class_name": "harvester-longhorn", "storage_class_parameters": {"migratable": "true"}, "tags": {}, "timeouts": null, "url": "",
	"volume_storage_class_name": "lh-1"}`

func TestUpgradeState(t *testing.T) {
	t.Parallel()
	upgrader := (&Resource{}).UpgradeState(t.Context())[0]
	var resp resource.UpgradeStateResponse
	upgrader.StateUpgrader(t.Context(), resource.UpgradeStateRequest{RawState: &tfprotov6.RawState{JSON: []byte(official)}}, &resp)
	if resp.Diagnostics.HasError() {
		t.Fatal(resp.Diagnostics)
	}
	value, err := resp.DynamicValue.Unmarshal(imageSchema().Type().TerraformType(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	text := value.String()
	for _, want := range []string{`"file_path":tftypes.String<"/images/ubuntu.img">`, `"url":tftypes.String<null>`, `"checksum":tftypes.String<null>`, `"security_parameters":tftypes.Map[tftypes.String]<null>`} {
		if !strings.Contains(text, want) {
			t.Errorf("%s is missing in %s", want, text)
		}
	}
}

// A refused deletion says what really keeps the image.
func TestInUse(t *testing.T) {
	volume := user{"volume", "default", "v"}
	state := &model{Name: types.StringValue("iso"), Namespace: types.StringValue("default")}
	for name, test := range map[string]struct {
		user   user
		owners []string
		want   string
	}{
		"a machine has it": {volume, []string{"default/web"}, "The virtual machine default/web has that volume as a disk."},
		"left behind":      {volume, []string{}, "No virtual machine has that volume"},
		"not known":        {volume, nil, "Remove what uses it first"},
		"a template":       {user{kind: "VMTemplateVersion", namespace: "default/t-1"}, nil, "Remove what uses it first"},
	} {
		if got := inUseDiagnostic(state, test.user, test.owners).Detail(); !strings.Contains(got, test.want) || strings.Contains(got, "Remove what") != strings.HasPrefix(test.want, "Remove") {
			t.Errorf("%s: %s", name, got)
		}
	}
}
