// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package sshkey

import (
	"context"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/types"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
)

// model is harvester_ssh_key as Terraform has it.
type model struct {
	ID          types.String `tfsdk:"id"`
	Name        types.String `tfsdk:"name"`
	Namespace   types.String `tfsdk:"namespace"`
	Description types.String `tfsdk:"description"`
	Tags        types.Map    `tfsdk:"tags"`
	Labels      types.Map    `tfsdk:"labels"`

	PublicKey   types.String `tfsdk:"public_key"`
	Fingerprint types.String `tfsdk:"fingerprint"`
	State       types.String `tfsdk:"state"`
	Message     types.String `tfsdk:"message"`

	Timeouts *tfbase.Timeouts `tfsdk:"timeouts"`
}

// Values of state, as the official provider has them.
const (
	stateValidated    = "Validated"
	stateNotValidated = "Not Validated"
)

func (m *model) metadata() tfbase.Metadata {
	return tfbase.Metadata{Description: m.Description, Tags: m.Tags, Labels: m.Labels}
}

// id is known even while the attribute of that name is not.
func (m *model) id() string { return tfbase.ID(m.Namespace.ValueString(), m.Name.ValueString()) }

func (m *model) title() string { return `SSH key "` + m.id() + `"` }

// toAPI builds the object to create.
func (m *model) toAPI(ctx context.Context) (*api.KeyPair, diag.Diagnostics) {
	labels, diags := m.metadata().Labelled(ctx)
	annotations := m.metadata().Annotated()
	annotations[api.AnnotationOrigin] = Type
	return &api.KeyPair{
		ObjectMeta: metav1.ObjectMeta{Namespace: m.Namespace.ValueString(), Name: m.Name.ValueString(), Labels: labels, Annotations: annotations},
		Spec:       api.KeyPairSpec{PublicKey: strings.TrimSpace(m.PublicKey.ValueString())},
	}, diags
}

// fromAPI fills the model from the object. The key keeps its spelling where that is all that differs.
func (m *model) fromAPI(pair *api.KeyPair) {
	imported := m.PublicKey.IsNull() // everything else fills the required attributes first
	metadata := m.metadata().Read(pair, imported)
	m.Description, m.Tags, m.Labels = metadata.Description, metadata.Tags, metadata.Labels

	m.Namespace, m.Name = types.StringValue(pair.Namespace), types.StringValue(pair.Name)
	m.ID = types.StringValue(m.id())
	if imported || !same(m.PublicKey.ValueString(), pair.Spec.PublicKey) {
		m.PublicKey = types.StringValue(pair.Spec.PublicKey)
	}
	// Harvester does not renew its fingerprint when a key changes, so it may be that of an earlier key.
	m.Fingerprint = types.StringValue(fingerprint(pair.Spec.PublicKey))
	state, message := verdict(pair)
	m.State, m.Message = types.StringValue(state), types.StringValue(message)
}

// verdict is what Harvester found the key to be, with its reason if not valid.
func verdict(pair *api.KeyPair) (state, message string) {
	condition := validation(pair)
	switch {
	case condition == nil, condition.Status == "Unknown":
		return stateNotValidated, "Harvester has not validated the key yet."
	case condition.Status == "True":
		return stateValidated, ""
	case condition.Message != "":
		return stateNotValidated, condition.Message
	}
	return stateNotValidated, condition.Reason // where Harvester puts the text
}

func validation(pair *api.KeyPair) *api.Condition {
	for i := range pair.Status.Conditions {
		if pair.Status.Conditions[i].Type == api.ConditionValidated {
			return &pair.Status.Conditions[i]
		}
	}
	return nil
}

// patch is the merge patch from the state before to the plan; empty if nothing changes.
func (m *model) patch(ctx context.Context, before *model) (map[string]any, diag.Diagnostics) {
	patch := map[string]any{}
	metadata, diags := tfbase.Patch(ctx, before.metadata(), m.metadata())
	if len(metadata) > 0 {
		patch["metadata"] = metadata
	}
	if !same(m.PublicKey.ValueString(), before.PublicKey.ValueString()) {
		patch["spec"] = map[string]any{"publicKey": strings.TrimSpace(m.PublicKey.ValueString())}
		// Harvester looks only at keys that have no fingerprint.
		patch["status"] = nil
	}
	return patch, diags
}
