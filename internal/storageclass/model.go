// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package storageclass

import (
	"context"
	"slices"
	"strconv"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/types"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
)

// stateReady is the state of every class that is not being deleted.
const stateReady = "Ready"

// model is harvester_storageclass as Terraform has it.
type model struct {
	tfbase.ObjectModel
	VolumeProvisioner    types.String `tfsdk:"volume_provisioner"`
	ReclaimPolicy        types.String `tfsdk:"reclaim_policy"`
	VolumeBindingMode    types.String `tfsdk:"volume_binding_mode"`
	AllowVolumeExpansion types.Bool   `tfsdk:"allow_volume_expansion"`
	IsDefault            types.Bool   `tfsdk:"is_default"`
	Parameters           types.Map    `tfsdk:"parameters"`
	AllowedTopologies    types.List   `tfsdk:"allowed_topologies"`
}

// topology is an allowed_topologies block.
type topology struct {
	MatchLabelExpressions types.List `tfsdk:"match_label_expressions"`
}

// expression is a match_label_expressions block.
type expression struct {
	Key    types.String `tfsdk:"key"`
	Values types.Set    `tfsdk:"values"`
}

var (
	topologyType   = types.ObjectType{AttrTypes: map[string]attr.Type{"match_label_expressions": types.ListType{ElemType: expressionType}}}
	expressionType = types.ObjectType{AttrTypes: map[string]attr.Type{"key": types.StringType, "values": types.SetType{ElemType: types.StringType}}}
)

func (m *model) title() string { return tfbase.Title("storage class", m) }

// parameters are those that are known.
func (m *model) parameters() map[string]string {
	parameters := map[string]string{}
	for key, value := range m.Parameters.Elements() {
		if text, ok := value.(types.String); ok && !text.IsUnknown() {
			parameters[key] = text.ValueString()
		}
	}
	return parameters
}

// ToAPI builds the object to create.
func (m *model) ToAPI(ctx context.Context) (*storagev1.StorageClass, diag.Diagnostics) {
	policy := corev1.PersistentVolumeReclaimPolicy(m.ReclaimPolicy.ValueString())
	mode := storagev1.VolumeBindingMode(m.VolumeBindingMode.ValueString())
	topologies, diags := m.topologies(ctx)
	class := &storagev1.StorageClass{
		Provisioner:          m.VolumeProvisioner.ValueString(),
		Parameters:           m.parameters(),
		ReclaimPolicy:        &policy,
		VolumeBindingMode:    &mode,
		AllowVolumeExpansion: m.AllowVolumeExpansion.ValueBoolPointer(),
		AllowedTopologies:    topologies,
	}
	if m.IsDefault.ValueBool() {
		class.Annotations = map[string]string{api.AnnotationDefaultClass: "true"}
	}
	return class, diags
}

func (m *model) topologies(ctx context.Context) (terms []corev1.TopologySelectorTerm, diags diag.Diagnostics) {
	var blocks []topology
	diags.Append(m.AllowedTopologies.ElementsAs(ctx, &blocks, false)...)
	for _, block := range blocks {
		var expressions []expression
		diags.Append(block.MatchLabelExpressions.ElementsAs(ctx, &expressions, false)...)
		term := corev1.TopologySelectorTerm{}
		for _, e := range expressions {
			requirement := corev1.TopologySelectorLabelRequirement{Key: e.Key.ValueString()}
			diags.Append(e.Values.ElementsAs(ctx, &requirement.Values, false)...)
			slices.Sort(requirement.Values)
			term.MatchLabelExpressions = append(term.MatchLabelExpressions, requirement)
		}
		terms = append(terms, term)
	}
	return terms, diags
}

// FromAPI fills the model. Classes that others made may lack any of the optional fields.
func (m *model) FromAPI(ctx context.Context, class *storagev1.StorageClass, _ bool) diag.Diagnostics {
	m.VolumeProvisioner = types.StringValue(class.Provisioner)
	m.ReclaimPolicy = types.StringValue(string(valueOr(class.ReclaimPolicy, corev1.PersistentVolumeReclaimDelete)))
	m.VolumeBindingMode = types.StringValue(string(valueOr(class.VolumeBindingMode, storagev1.VolumeBindingImmediate)))
	m.AllowVolumeExpansion = types.BoolValue(valueOr(class.AllowVolumeExpansion, false))
	m.IsDefault = types.BoolValue(isDefault(class))
	parameters := class.Parameters
	if parameters == nil {
		parameters = map[string]string{}
	}
	m.Parameters = tfbase.StringMap(parameters)
	m.State, m.Message = types.StringValue(stateReady), types.StringValue("")
	return m.readTopologies(ctx, class.AllowedTopologies)
}

func (m *model) readTopologies(ctx context.Context, terms []corev1.TopologySelectorTerm) diag.Diagnostics {
	var diags diag.Diagnostics
	blocks := []topology{}
	for _, term := range terms {
		expressions := []expression{}
		for _, requirement := range term.MatchLabelExpressions {
			values, more := types.SetValueFrom(ctx, types.StringType, requirement.Values)
			diags.Append(more...)
			expressions = append(expressions, expression{Key: types.StringValue(requirement.Key), Values: values})
		}
		list, more := types.ListValueFrom(ctx, expressionType, expressions)
		diags.Append(more...)
		blocks = append(blocks, topology{MatchLabelExpressions: list})
	}
	list, more := types.ListValueFrom(ctx, topologyType, blocks)
	diags.Append(more...)
	m.AllowedTopologies = list
	return diags
}

func valueOr[T any](value *T, otherwise T) T {
	if value == nil {
		return otherwise
	}
	return *value
}

func isDefault(class *storagev1.StorageClass) bool {
	return class.Annotations[api.AnnotationDefaultClass] == "true"
}

// Changes is the merge patch of what can change in a class.
func (m *model) Changes(_ context.Context, before *model) (map[string]any, diag.Diagnostics) {
	patch := map[string]any{}
	if !m.IsDefault.Equal(before.IsDefault) {
		patch["metadata"] = map[string]any{"annotations": map[string]any{
			api.AnnotationDefaultClass: strconv.FormatBool(m.IsDefault.ValueBool()),
		}}
	}
	if !m.AllowVolumeExpansion.Equal(before.AllowVolumeExpansion) {
		patch["allowVolumeExpansion"] = m.AllowVolumeExpansion.ValueBool()
	}
	return patch, nil
}
