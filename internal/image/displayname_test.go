// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package image

import (
	"context"
	"testing"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/types"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
	"github.com/harvester-community/terraform-provider-harvester/internal/session"
)

// holding is an image that has a display name.
func holding(name, display, manager string, deleted bool) object {
	metadata := object{"namespace": "default", "name": name, "managedFields": []any{object{"manager": manager}}}
	if deleted {
		metadata["deletionTimestamp"] = "2026-01-01T00:00:00Z"
	}
	return object{
		"apiVersion": "harvesterhci.io/v1beta1", "kind": api.KindImage, "metadata": metadata,
		"spec": object{"displayName": display},
	}
}

func TestDisplayNameThatIsTaken(t *testing.T) {
	t.Parallel()
	const (
		display = "Debian 13 - Generic Cloud" // no value of a label
		refused = "Error Display name is taken display_name"
		warned  = "Warning Display name is taken display_name"
	)
	for name, test := range map[string]struct {
		holder object
		fate   session.Fate
		read   string // an image that the walk has refreshed
		plan   string
		waits  bool // at apply, after a moment
	}{
		"by itself":                 {holder: holding("new", display, "", false), waits: true},
		"by none any more":          {holder: holding("old", "other", "", false), waits: true},
		"leaving already":           {holder: holding("old", display, "", true), waits: true},
		"planned to leave":          {holder: holding("old", display, "", false), fate: session.Leaves, waits: true},
		"planned to stay":           {holder: holding("old", display, kube.FieldManager, false), fate: session.Stays, plan: refused},
		"made in the same run":      {holder: holding("old", display, kube.FieldManager, false), fate: session.Comes, plan: refused},
		"in no state, in a plan":    {holder: holding("old", display, kube.FieldManager, false), read: "default/another", plan: refused, waits: true},
		"of others":                 {holder: holding("old", display, "dashboard", false), plan: refused, waits: true},
		"perhaps from this state":   {holder: holding("old", display, kube.FieldManager, false), plan: warned, waits: true},
		"in the state, not planned": {holder: holding("old", display, "dashboard", false), read: "default/old", plan: warned, waits: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := against(t, map[string]any{
				"/apis/harvesterhci.io/v1beta1/namespaces/default/virtualmachineimages": object{
					"apiVersion": "harvesterhci.io/v1beta1", "kind": "VirtualMachineImageList", "items": []any{test.holder},
				},
			}, session.ChecksError)
			if test.read != "" {
				r.Session.ImageFates.Read(session.ImageID(test.read))
			}
			if test.fate != session.Untold {
				r.Session.ImageFates.Tell("default/old", test.fate)
			}
			plan := &model{Name: types.StringValue("new"), Namespace: types.StringValue("default"), DisplayName: types.StringValue(display)}
			asking, cancel := context.WithTimeout(t.Context(), r.Session.Checking)
			defer cancel()
			if test.read == "default/old" { // else it waits as long as a plan may
				time.AfterFunc(untilTold+time.Second/2, cancel)
			}
			if got := heads(r.rehearsedConflict(asking, plan)); got != test.plan {
				t.Errorf("at plan: got %q, want %q", got, test.plan)
			}
			if _, err := r.displayNameTaken(t.Context(), plan, time.Second); (err == nil) != test.waits {
				t.Errorf("at apply: %v, want waits %v", err, test.waits)
			}
		})
	}
}

func TestPatienceWithADisplayName(t *testing.T) {
	t.Parallel()
	r := against(t, nil, session.ChecksError)
	image := func(manager string) *api.VirtualMachineImage {
		decoded := &api.VirtualMachineImage{}
		decoded.Namespace, decoded.Name = "default", "old"
		decoded.ManagedFields = append(decoded.ManagedFields, metav1.ManagedFieldsEntry{Manager: manager})
		return decoded
	}
	for manager, limit := range map[string]time.Duration{"dashboard": untilTold, kube.FieldManager: untilGiven} {
		if !r.givesUp(image(manager), limit-time.Second) || r.givesUp(image(manager), limit) {
			t.Errorf("%s: the patience is not %s", manager, limit)
		}
	}
	r.Session.ImageFates.Tell("default/old", session.Leaves)
	if !r.givesUp(image("dashboard"), time.Hour) {
		t.Error("an image that is being deleted is not waited for")
	}
}

// A data source cannot see what the same run is about to make.
func TestDataSourceForAnImageToCome(t *testing.T) {
	t.Parallel()
	r := against(t, map[string]any{
		"/apis/harvesterhci.io/v1beta1/namespaces/default/virtualmachineimages": object{
			"apiVersion": "harvesterhci.io/v1beta1", "kind": "VirtualMachineImageList", "items": []any{},
		},
	}, session.ChecksError)
	r.promise(&model{Name: types.StringValue("a"), Namespace: types.StringValue("default"), DisplayName: types.StringValue("Debian 13")})
	source := &dataSource{session: r.Session}
	for name, test := range map[string]struct {
		query query
		want  string
	}{
		"by display name":         {query{displayName: types.StringValue("Debian 13")}, "Error Image not made yet display_name"},
		"by name":                 {query{name: types.StringValue("a")}, "Error Image not made yet name"},
		"by another display name": {query{displayName: types.StringValue("Debian 12")}, "Error Image not found display_name"},
		"by another name":         {query{name: types.StringValue("b")}, "Error Image not found name"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, diags := source.find(t.Context(), test.query)
			if got := heads(diags); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

// An image keeps its display name unless another is made in its place, under another name.
func TestFateOfAnImage(t *testing.T) {
	t.Parallel()
	base := model{Name: types.StringValue("a"), Namespace: types.StringValue("default"), DisplayName: types.StringValue("A"), URL: types.StringValue("x")}
	for name, test := range map[string]struct {
		change func(m *model)
		want   session.Fate
	}{
		"unchanged":         {func(*model) {}, session.Stays},
		"another url":       {func(m *model) { m.URL = types.StringValue("y") }, session.Stays},
		"another name":      {func(m *model) { m.Name = types.StringValue("b") }, session.Leaves},
		"display name":      {func(m *model) { m.DisplayName = types.StringValue("B") }, session.Leaves},
		"unknown namespace": {func(m *model) { m.Namespace = types.StringUnknown() }, session.Leaves},
	} {
		r, plan := against(t, nil, session.ChecksError), base
		test.change(&plan)
		r.tellFate(&plan, &base)
		if got := r.Session.ImageFates.Of(t.Context(), "default/a"); got != test.want {
			t.Errorf("%s: got %v", name, got)
		}
	}
}
