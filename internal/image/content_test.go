// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package image

import (
	"os"
	"path/filepath"
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
	for sha512, replaces := range map[string]bool{"old": false, "new": true} {
		r := against(t, nil, session.ChecksError)
		state := uploading("disk.raw")
		state.State, state.FileSHA512 = types.StringValue(string(imagestate.Active)), types.StringValue("old")
		plan, resp := state, resource.ModifyPlanResponse{}
		r.compareContent(t.Context(), &plan, &state, transfer.Content{SHA512: sha512}, request(t, &state, true), &resp)
		if len(resp.Diagnostics) > 0 || len(resp.RequiresReplace) > 0 != replaces || plan.FileSHA512.IsUnknown() != replaces {
			t.Errorf("%s: got %v, %v, %v", sha512, resp.Diagnostics, resp.RequiresReplace, plan.FileSHA512)
		}
	}
}

// An apply must come to the same as its plan, so a file that has changed since is an error there.
func TestApplyIsToldFromThePlan(t *testing.T) {
	t.Parallel()
	const file, other, missing = "disk.raw", "other.raw", "missing.raw"
	for name, test := range map[string]struct {
		seen      string // by the last refresh; "" if there was none
		path      string // in the state
		state     imagestate.State
		refreshed bool // in this walk, which is so in a plan only
		changes   bool
		want      bool
	}{
		"another file than the plan saw":           {seen: other, path: file, state: imagestate.Active, changes: true, want: true},
		"a file that was not there":                {seen: missing, path: file, state: imagestate.Active, changes: true, want: true},
		"an image to be finished":                  {seen: other, path: file, state: imagestate.Uploading, want: true},
		"a plan":                                   {seen: other, path: file, state: imagestate.Active, refreshed: true, changes: true},
		"a plan without refresh, nothing else":     {seen: other, path: file, state: imagestate.Active},
		"a plan without refresh, after a refresh":  {seen: file, path: file, state: imagestate.Active, changes: true},
		"a plan without refresh, never before one": {path: file, state: imagestate.Active, changes: true},
		"another path":                             {seen: other, path: other, state: imagestate.Active, changes: true},
	} {
		folder := t.TempDir()
		at := func(name string) types.String { return types.StringValue(filepath.Join(folder, name)) }
		for _, name := range []string{file, other} {
			if err := os.WriteFile(at(name).ValueString(), []byte(name), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		r := against(t, nil, session.ChecksError)
		if test.refreshed {
			r.Session.ImageFates.Read("default/a")
		}
		plan, state, private := uploading(""), uploading(""), notes{}
		plan.FilePath, state.FilePath, state.State = at(file), at(test.path), types.StringValue(string(test.state))
		if test.seen != "" {
			saw := uploading("")
			saw.FilePath = at(test.seen)
			private[keySight] = saw.sight()
		}
		if got := r.applies(t.Context(), &plan, &state, private, test.changes); got != test.want {
			t.Errorf("%s: taken for an apply is %v", name, got)
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
