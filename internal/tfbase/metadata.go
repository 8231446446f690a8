// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package tfbase

import (
	"context"
	"maps"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/types"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
)

// Metadata are the attributes of a model that live in labels and annotations.
type Metadata struct {
	Description types.String
	Tags        types.Map
	Labels      types.Map
}

// Labelled returns all labels the metadata ask for: labels and tags. Harvester's own are not asked for; a
// state of the official provider can list them as the user's, and they must not be taken off for that.
func (m Metadata) Labelled(ctx context.Context) (map[string]string, diag.Diagnostics) {
	labels, diags := stringMap(ctx, m.Labels)
	maps.DeleteFunc(labels, func(key, _ string) bool { return api.ReservedLabel(key) })
	tags, more := stringMap(ctx, m.Tags)
	diags.Append(more...)
	for key, value := range tags {
		labels[api.LabelTagPrefix+key] = value
	}
	return labels, diags
}

// Annotated returns the annotations the metadata ask for.
func (m Metadata) Annotated() map[string]string {
	if text := m.Description.ValueString(); text != "" {
		return map[string]string{api.AnnotationDescription: text}
	}
	return map[string]string{}
}

// Patch returns the merge patch of an object's metadata from the state before to
// the plan after; empty if nothing changes. Labels and annotations of others
// stay out of it.
func Patch(ctx context.Context, before, after Metadata) (map[string]any, diag.Diagnostics) {
	old, diags := before.Labelled(ctx)
	wanted, more := after.Labelled(ctx)
	diags.Append(more...)
	patch := map[string]any{}
	if labels := difference(old, wanted); len(labels) > 0 {
		patch["labels"] = labels
	}
	if annotations := difference(before.Annotated(), after.Annotated()); len(annotations) > 0 {
		patch["annotations"] = annotations
	}
	return patch, diags
}

func difference(old, wanted map[string]string) map[string]any {
	patch := map[string]any{}
	for key := range old {
		if _, kept := wanted[key]; !kept {
			patch[key] = nil
		}
	}
	for key, value := range wanted {
		if was, had := old[key]; !had || was != value {
			patch[key] = value
		}
	}
	return patch
}

// Read returns the metadata as the object has them. Of the labels and tags only
// those that the prior state knows count: others belong to others. When
// imported, all count, save those of Harvester's domain; its own never do.
func (m Metadata) Read(object metav1.Object, imported bool) Metadata {
	tags, labels := map[string]string{}, map[string]string{}
	for key, value := range object.GetLabels() {
		tag, isTag := strings.CutPrefix(key, api.LabelTagPrefix)
		switch {
		case isTag:
			if imported || has(m.Tags, tag) {
				tags[tag] = value
			}
		case api.ReservedLabel(key):
		case imported && !api.HarvestersLabel(key), has(m.Labels, key):
			labels[key] = value
		}
	}
	return Metadata{
		Description: Keep(m.Description, object.GetAnnotations()[api.AnnotationDescription]),
		Tags:        keepMap(m.Tags, tags),
		Labels:      keepMap(m.Labels, labels),
	}
}

// Keep returns the value the server has, but keeps null and "" apart as the
// prior value does: the server knows no difference.
func Keep(prior types.String, value string) types.String {
	if value == "" && (prior.IsNull() || prior.IsUnknown()) {
		return types.StringNull()
	}
	return types.StringValue(value)
}

func keepMap(prior types.Map, values map[string]string) types.Map {
	if len(values) == 0 && (prior.IsNull() || prior.IsUnknown()) {
		return types.MapNull(types.StringType)
	}
	return StringMap(values)
}

// StringMap makes a Terraform map of a Go one.
func StringMap(values map[string]string) types.Map {
	m, _ := types.MapValueFrom(context.Background(), types.StringType, values)
	return m
}

func has(m types.Map, key string) bool {
	_, found := m.Elements()[key]
	return found
}

func stringMap(ctx context.Context, m types.Map) (map[string]string, diag.Diagnostics) {
	values := map[string]string{}
	if m.IsNull() || m.IsUnknown() {
		return values, nil
	}
	diags := m.ElementsAs(ctx, &values, false)
	return values, diags
}
