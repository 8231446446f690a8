// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package image

import (
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/tfsdk"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/harvester-community/terraform-provider-harvester/internal/imagestate"
	"github.com/harvester-community/terraform-provider-harvester/internal/session"
	"github.com/harvester-community/terraform-provider-harvester/internal/transfer"
)

// A checksum that is stated anew can be that of the data which the image has already.
func TestChecksumThatIsStatedAnew(t *testing.T) {
	t.Parallel()
	content := &transfer.Content{SHA512: "sent", FileSHA512: "file"}
	text := types.StringValue
	for name, test := range map[string]struct {
		before, stated types.String
		has            types.String
		content        *transfer.Content
		replaces       bool
	}{
		"same as before":                   {text("file"), text("file"), text("sent"), content, false},
		"removed":                          {text("file"), types.StringNull(), text("sent"), content, false},
		"added, of what was sent":          {types.StringNull(), text("sent"), text("sent"), nil, false},
		"added, of the file":               {types.StringNull(), text("file"), text("sent"), content, false},
		"the other of the two":             {text("sent"), text("file"), text("sent"), content, false},
		"of a file that is not there":      {text("sent"), text("file"), text("sent"), nil, true},
		"of a file that the image is not":  {text("sent"), text("file"), text("old"), content, true},
		"of other data":                    {text("sent"), text("other"), text("sent"), content, true},
		"not known yet":                    {text("sent"), types.StringUnknown(), text("sent"), content, true},
		"imported, nothing known of it":    {text("sent"), text("other"), types.StringNull(), nil, true},
		"imported, of the file, adopted":   {text("sent"), text("file"), text("sent"), content, false},
		"removed, and nothing known of it": {text("sent"), types.StringNull(), types.StringNull(), nil, false},
	} {
		var resp resource.ModifyPlanResponse
		planChecksum(&model{Checksum: test.stated, FileSHA512: test.has}, &model{Checksum: test.before}, test.content, &resp)
		if got := len(resp.RequiresReplace) > 0; got != test.replaces {
			t.Errorf("%s: replaces is %v", name, got)
		}
	}
}

// request is a plan for an image that exists. Changes says that more than the file has changed.
func request(t *testing.T, state *model, changes bool) resource.ModifyPlanRequest {
	t.Helper()
	null := tftypes.NewValue(imageSchema().Type().TerraformType(t.Context()), nil)
	filled := tfsdk.State{Schema: imageSchema(), Raw: null}
	plan := *state
	if changes {
		plan.Description = types.StringValue("changed")
	}
	for _, m := range []*model{state, &plan} {
		m.Tags, m.Labels, m.SecurityParameters, m.StorageClassParameters = types.MapNull(types.StringType), types.MapNull(types.StringType),
			types.MapNull(types.StringType), types.MapNull(types.StringType)
	}
	req := resource.ModifyPlanRequest{State: filled, Plan: tfsdk.Plan{Schema: imageSchema(), Raw: null}}
	diags := append(req.State.Set(t.Context(), state), req.Plan.Set(t.Context(), &plan)...)
	if diags.HasError() {
		t.Fatal(diags)
	}
	return req
}

func TestOtherContentOfTheFile(t *testing.T) {
	t.Parallel()
	const replaced, refused = "replaced", "Error File changed since the plan file_path"
	for name, test := range map[string]struct {
		sha512    string
		state     imagestate.State
		refreshed bool // which is so in a plan only
		changes   bool
		want      string
	}{
		"same content":                             {sha512: "old", state: imagestate.Active, changes: true},
		"other content, in a plan":                 {sha512: "new", state: imagestate.Active, refreshed: true, changes: true, want: replaced},
		"other content, in a plan without refresh": {sha512: "new", state: imagestate.Active, want: replaced},
		"other content, in an apply":               {sha512: "new", state: imagestate.Active, changes: true, want: refused},
		"other content, to be finished by apply":   {sha512: "new", state: imagestate.Uploading, want: refused},
	} {
		r := against(t, nil, session.ChecksError)
		if test.refreshed {
			r.Session.ImageFates.Read("default/a")
		}
		state := uploading("disk.raw")
		state.State, state.FileSHA512 = types.StringValue(string(test.state)), types.StringValue("old")
		plan, resp := state, resource.ModifyPlanResponse{}
		r.compareContent(t.Context(), &plan, &state, transfer.Content{SHA512: test.sha512}, request(t, &state, test.changes), &resp)
		got := heads(resp.Diagnostics)
		if len(resp.RequiresReplace) > 0 {
			got += replaced
		}
		if got != test.want || (test.want == replaced) != plan.FileSHA512.IsUnknown() {
			t.Errorf("%s: got %q (%v), want %q", name, got, plan.FileSHA512, test.want)
		}
	}
}

// The file is not even read.
func TestIgnoredChangesOfTheFile(t *testing.T) {
	t.Parallel()
	r := against(t, nil, session.ChecksError)
	state := uploading(write(t, "disk.raw", []byte("new")))
	state.State, state.FileSHA512, state.FileChanges = types.StringValue(string(imagestate.Active)), types.StringValue("old"), types.StringValue(changesIgnore)
	plan, resp := state, resource.ModifyPlanResponse{}
	r.planContent(t.Context(), &plan, &state, request(t, &state, true), &resp)
	if len(resp.RequiresReplace) > 0 || len(resp.Diagnostics) > 0 || !plan.FileSHA512.Equal(state.FileSHA512) {
		t.Errorf("got %v, %v, %v", resp.RequiresReplace, resp.Diagnostics, plan.FileSHA512)
	}
}
