// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package tfbase

import (
	"context"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/booldefault"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/int64default"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringdefault"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
)

func TestParseID(t *testing.T) {
	t.Parallel()
	for id, want := range map[string]string{
		"default/ubuntu": "default ubuntu", "a/b.c": "a b.c",
		"ubuntu": "error", "/ubuntu": "error", "default/": "error", "a/b/c": "error", "Default/ubuntu": "error", "": "error",
	} {
		namespace, name, err := ParseID(id)
		got := namespace + " " + name
		if err != nil {
			got = "error"
		}
		if got != want {
			t.Errorf("ParseID(%q) = %s (%v), want %s", id, got, err, want)
		}
	}
}

func TestParseReference(t *testing.T) {
	t.Parallel()
	for reference, want := range map[string]string{"ubuntu": "mine/ubuntu", "other/ubuntu": "other/ubuntu"} {
		namespace, name, err := ParseReference(reference, "mine")
		if got := ID(namespace, name); err != nil || got != want {
			t.Errorf("ParseReference(%q) = %s, %v", reference, got, err)
		}
	}
}

func TestTimeouts(t *testing.T) {
	t.Parallel()
	limits := Limits{Create: time.Hour, Read: time.Minute, Update: time.Hour, Delete: 10 * time.Minute}
	for name, test := range map[string]struct {
		block *Timeouts
		want  time.Duration
	}{
		"no block":      {nil, time.Hour},
		"empty block":   {&Timeouts{}, time.Hour},
		"default":       {&Timeouts{Default: types.StringValue("5m")}, 5 * time.Minute},
		"own":           {&Timeouts{Create: types.StringValue("2m"), Default: types.StringValue("5m")}, 2 * time.Minute},
		"other's":       {&Timeouts{Delete: types.StringValue("2m")}, time.Hour},
		"empty, as SDK": {&Timeouts{Create: types.StringValue("")}, time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := test.block.Creating(t.Context(), limits)
			defer cancel()
			deadline, _ := ctx.Deadline()
			if got := time.Until(deadline).Round(time.Second); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

func TestRules(t *testing.T) {
	t.Parallel()
	check := func(v validator.String, value string) []string {
		r, ok := v.(rule)
		if !ok {
			t.Fatalf("%T is no rule", v)
		}
		return r.check(value)
	}
	for name, test := range map[string]struct {
		rule      validator.String
		good, bad []string
	}{
		"name": {Name(), []string{"a", "a-1.b"}, []string{"", "A", "a_b", "-a"}},
		"label": {
			LabelKey(),
			[]string{"team", "example.com/team", "notharvesterhci.io/x", "harvesterhci.io/os-type", "harvesterhci.io/maintain-mode-strategy", "recurring-job.longhorn.io/source"},
			[]string{
				"tag.harvesterhci.io/x", "harvesterhci.io/imageDisplayName", "harvesterhci.io/creator", "network.harvesterhci.io/type",
				"loadbalancer.harvesterhci.io/vid", "migration.harvesterhci.io/imported", "a b", "harvesterhci.io/", "",
			},
		},
		"value":    {LabelValue(), []string{"", "Blue_1.x"}, []string{"a b", "-"}},
		"tag":      {TagKey(), []string{"os"}, []string{"a/b", "a b", ""}},
		"quantity": {Quantity(), []string{"1", "10Gi", "512Mi"}, []string{"", "0", "-1Gi", "ten", "1Gb"}},
		"duration": {Duration(), []string{"30s", "1h30m"}, []string{"", "10", "0s", "-1m", "soon"}},
	} {
		for _, value := range test.good {
			if wrong := check(test.rule, value); len(wrong) > 0 {
				t.Errorf("%s refuses %q: %v", name, value, wrong)
			}
		}
		for _, value := range test.bad {
			if wrong := check(test.rule, value); len(wrong) == 0 {
				t.Errorf("%s accepts %q", name, value)
			}
		}
	}
}

func TestMetadata(t *testing.T) {
	t.Parallel()
	object := &metav1.ObjectMeta{
		Labels: map[string]string{
			"team": "blue", "foreign": "x", "tag.harvesterhci.io/os": "linux", "tag.harvesterhci.io/theirs": "y",
			"harvesterhci.io/imageDisplayName": "z",
		},
		Annotations: map[string]string{api.AnnotationDescription: "text"},
	}
	known := Metadata{Labels: StringMap(map[string]string{"team": "red", "lost": "1"}), Tags: StringMap(map[string]string{"os": "bsd"})}
	got := known.Read(object, false)
	want := Metadata{
		Description: types.StringValue("text"), Labels: StringMap(map[string]string{"team": "blue"}),
		Tags: StringMap(map[string]string{"os": "linux"}),
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("refreshed: got %v, want %v", got, want)
	}
	official := Metadata{Labels: StringMap(map[string]string{"team": "red", "harvesterhci.io/imageDisplayName": "z"})}
	if read := official.Read(object, false); !read.Labels.Equal(StringMap(map[string]string{"team": "blue"})) {
		t.Errorf("labels of Harvester in a state: got %v", read.Labels)
	}
	if patch, _ := Patch(t.Context(), official, Metadata{Labels: StringMap(map[string]string{"team": "red"})}); len(patch) > 0 {
		t.Errorf("a label of Harvester would be taken off: %v", patch)
	}
	imported := Metadata{}.Read(object, true)
	if len(imported.Labels.Elements()) != 2 || len(imported.Tags.Elements()) != 2 {
		t.Errorf("imported: got labels %v and tags %v", imported.Labels, imported.Tags)
	}
	bare := Metadata{Labels: types.MapNull(types.StringType), Tags: StringMap(map[string]string{})}.Read(&metav1.ObjectMeta{}, false)
	if !bare.Labels.IsNull() || bare.Tags.IsNull() || !bare.Description.IsNull() {
		t.Errorf("null and empty should stay apart: %+v", bare)
	}
}

func TestPatch(t *testing.T) {
	t.Parallel()
	before := Metadata{
		Description: types.StringValue("old"),
		Labels:      StringMap(map[string]string{"keep": "1", "drop": "1", "change": "1"}), Tags: StringMap(map[string]string{"os": "linux"}),
	}
	after := Metadata{Labels: StringMap(map[string]string{"keep": "1", "change": "2", "add": "3"}), Tags: types.MapNull(types.StringType)}
	patch, diags := Patch(t.Context(), before, after)
	got, _ := json.Marshal(patch)
	const want = `{"annotations":{"field.cattle.io/description":null},"labels":{"add":"3","change":"2","drop":null,"tag.harvesterhci.io/os":null}}`
	if diags.HasError() || string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if patch, _ := Patch(t.Context(), before, before); len(patch) > 0 {
		t.Errorf("no change gives %v", patch)
	}
}

// TestFromOfficial upgrades a state with the SDK's zero values.
func TestFromOfficial(t *testing.T) {
	t.Parallel()
	current := schema.Schema{
		Attributes: map[string]schema.Attribute{
			"id":       schema.StringAttribute{Computed: true},
			"optional": schema.StringAttribute{Optional: true},
			"default":  schema.StringAttribute{Optional: true, Computed: true, Default: stringdefault.StaticString("")},
			"number":   schema.Int64Attribute{Optional: true},
			"flag":     schema.BoolAttribute{Optional: true},
			"map":      schema.MapAttribute{Optional: true, ElementType: types.StringType},
			"list":     schema.ListAttribute{Optional: true, ElementType: types.StringType},
			"new":      schema.StringAttribute{Optional: true},
			"switch":   schema.BoolAttribute{Optional: true, Computed: true, Default: booldefault.StaticBool(true)},
			"count":    schema.Int64Attribute{Optional: true, Computed: true, Default: int64default.StaticInt64(3)},
			"word":     schema.StringAttribute{Optional: true, Computed: true, Default: stringdefault.StaticString("a")},
		},
		Blocks: map[string]schema.Block{
			"disk": schema.ListNestedBlock{NestedObject: schema.NestedBlockObject{Attributes: map[string]schema.Attribute{
				"image": schema.StringAttribute{Optional: true}, "size": schema.StringAttribute{Optional: true},
			}}},
			"absent":   schema.ListNestedBlock{NestedObject: schema.NestedBlockObject{}},
			"timeouts": TimeoutsBlock(Limits{}),
		},
	}
	raw := `{"id":"default/a","optional":"","default":"","number":0,"flag":false,"map":{},"list":[],"left_over":1,
		"disk":[{"image":"","size":"1Gi","gone":true}],"timeouts":null}`
	upgraded, err := upgradeOfficial(context.Background(), current, nil, &tfprotov6.RawState{JSON: []byte(raw)})
	if err != nil {
		t.Fatal(err)
	}
	value, err := upgraded.Unmarshal(current.Type().TerraformType(context.Background()))
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]tftypes.Value
	if err := value.As(&got); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"optional", "number", "flag", "map", "list", "new", "timeouts"} {
		if !got[name].IsNull() {
			t.Errorf("%s is %s, want null", name, got[name])
		}
	}
	if got["default"].IsNull() || got["id"].IsNull() {
		t.Error("computed values should stay")
	}
	for name, want := range map[string]any{"switch": true, "count": 3, "word": "a"} {
		if !got[name].Equal(tftypes.NewValue(got[name].Type(), want)) {
			t.Errorf("%s, which the official provider lacks, is %s, want its default %v", name, got[name], want)
		}
	}
	var disks []tftypes.Value
	if err := got["disk"].As(&disks); err != nil || len(disks) != 1 {
		t.Fatalf("disk is %s (%v)", got["disk"], err)
	}
	var disk map[string]tftypes.Value
	if err := disks[0].As(&disk); err != nil || !disk["image"].IsNull() || disk["size"].IsNull() {
		t.Errorf("the disk is %s (%v)", disks[0], err)
	}
}

func TestSecretRulesDoNotRepeatTheValue(t *testing.T) {
	t.Parallel()
	refuse := func(string) []string { return []string{"expected something else"} }
	request := validator.StringRequest{Path: path.Root("url"), ConfigValue: types.StringValue("ci:s3cr3t@host")}
	var hidden, open validator.StringResponse
	SecretRule("Invalid URL", "", refuse).ValidateString(t.Context(), request, &hidden)
	Rule("Invalid name", "", refuse).ValidateString(t.Context(), request, &open)
	if got := hidden.Diagnostics[0].Detail(); strings.Contains(got, "s3cr3t") || !strings.Contains(got, "expected something else") {
		t.Errorf("got %q", got)
	}
	if got := open.Diagnostics[0].Detail(); !strings.Contains(got, `"ci:s3cr3t@host" is not usable here: expected`) {
		t.Errorf("got %q", got)
	}
}
