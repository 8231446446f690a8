// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package storageclass

import (
	"context"
	"slices"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/types"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
)

// The states of a class.
const (
	stateReady       = "Ready"
	stateTerminating = "Terminating"
)

// model is harvester_storageclass as Terraform has it.
type model struct {
	ID          types.String `tfsdk:"id"`
	Name        types.String `tfsdk:"name"`
	Description types.String `tfsdk:"description"`
	Tags        types.Map    `tfsdk:"tags"`
	Labels      types.Map    `tfsdk:"labels"`

	VolumeProvisioner    types.String `tfsdk:"volume_provisioner"`
	ReclaimPolicy        types.String `tfsdk:"reclaim_policy"`
	VolumeBindingMode    types.String `tfsdk:"volume_binding_mode"`
	AllowVolumeExpansion types.Bool   `tfsdk:"allow_volume_expansion"`
	IsDefault            types.Bool   `tfsdk:"is_default"`
	Parameters           types.Map    `tfsdk:"parameters"`
	AllowedTopologies    types.List   `tfsdk:"allowed_topologies"`

	State   types.String `tfsdk:"state"`
	Message types.String `tfsdk:"message"`

	Timeouts *tfbase.Timeouts `tfsdk:"timeouts"`
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

func (m *model) metadata() tfbase.Metadata {
	return tfbase.Metadata{Description: m.Description, Tags: m.Tags, Labels: m.Labels}
}

func (m *model) title() string { return `storage class "` + m.Name.ValueString() + `"` }

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

// class builds the object to create.
func (m *model) class(ctx context.Context) (*storagev1.StorageClass, diag.Diagnostics) {
	labels, diags := m.metadata().Labelled(ctx)
	annotations := m.metadata().Annotated()
	if m.IsDefault.ValueBool() {
		annotations[api.AnnotationDefaultClass] = "true"
	}
	policy := corev1.PersistentVolumeReclaimPolicy(m.ReclaimPolicy.ValueString())
	mode := storagev1.VolumeBindingMode(m.VolumeBindingMode.ValueString())
	topologies, more := m.topologies(ctx)
	diags.Append(more...)
	return &storagev1.StorageClass{
		ObjectMeta:           metav1.ObjectMeta{Name: m.Name.ValueString(), Labels: labels, Annotations: annotations},
		Provisioner:          m.VolumeProvisioner.ValueString(),
		Parameters:           m.parameters(),
		ReclaimPolicy:        &policy,
		VolumeBindingMode:    &mode,
		AllowVolumeExpansion: m.AllowVolumeExpansion.ValueBoolPointer(),
		AllowedTopologies:    topologies,
	}, diags
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

// read fills the model from the object. Classes that others made may lack any of the optional fields.
func (m *model) read(ctx context.Context, class *storagev1.StorageClass) diag.Diagnostics {
	imported := m.VolumeProvisioner.IsNull() // everything else fills it first
	metadata := m.metadata().Read(class, imported)
	m.Description, m.Tags, m.Labels = metadata.Description, metadata.Tags, metadata.Labels

	m.ID, m.Name = types.StringValue(class.Name), types.StringValue(class.Name)
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
	if class.DeletionTimestamp != nil {
		m.State = types.StringValue(stateTerminating)
	}
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

// patch is the merge patch from the state before to the plan; empty if nothing changes.
func (m *model) patch(ctx context.Context, before *model) (map[string]any, diag.Diagnostics) {
	patch := map[string]any{}
	metadata, diags := tfbase.Patch(ctx, before.metadata(), m.metadata())
	if !m.IsDefault.Equal(before.IsDefault) {
		annotations, _ := metadata["annotations"].(map[string]any)
		if annotations == nil {
			annotations = map[string]any{}
		}
		annotations[api.AnnotationDefaultClass] = "false"
		if m.IsDefault.ValueBool() {
			annotations[api.AnnotationDefaultClass] = "true"
		}
		metadata["annotations"] = annotations
	}
	if len(metadata) > 0 {
		patch["metadata"] = metadata
	}
	if !m.AllowVolumeExpansion.Equal(before.AllowVolumeExpansion) {
		patch["allowVolumeExpansion"] = m.AllowVolumeExpansion.ValueBool()
	}
	return patch, diags
}
