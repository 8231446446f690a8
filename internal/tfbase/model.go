// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package tfbase

import (
	"context"
	"maps"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/types"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/harvester-community/terraform-provider-harvester/internal/objects"
)

// ObjectModel is what the models of all kinds begin with. Its attributes are those of ClusterScoped.
type ObjectModel struct {
	ID          types.String `tfsdk:"id"`
	Name        types.String `tfsdk:"name"`
	Description types.String `tfsdk:"description"`
	Tags        types.Map    `tfsdk:"tags"`
	Labels      types.Map    `tfsdk:"labels"`
	State       types.String `tfsdk:"state"`
	Message     types.String `tfsdk:"message"`
	Timeouts    *Timeouts    `tfsdk:"timeouts"`
}

// NamespacedModel is the same for kinds in a namespace. Its attributes are those of Namespaced.
type NamespacedModel struct {
	ObjectModel
	Namespace types.String `tfsdk:"namespace"`
}

// Model is a resource's model, as a pointer to M, of the kind that the API has as T. It embeds
// ObjectModel or NamespacedModel, which the frame fills; the rest is its own.
type Model[M, T any] interface {
	*M
	Base() *ObjectModel
	InNamespace() *types.String // nil without one
	Key() (namespace, name string)

	// ToAPI builds the object to create, without what ObjectModel tells of it.
	ToAPI(ctx context.Context) (*T, diag.Diagnostics)
	// FromAPI fills the model. Imported says that nothing was known of the object but its name; else
	// what means the same keeps its spelling.
	FromAPI(ctx context.Context, object *T, imported bool) diag.Diagnostics
	// Changes is the merge patch from the state before to the plan, without what ObjectModel tells
	// of it; empty if nothing changes.
	Changes(ctx context.Context, before *M) (map[string]any, diag.Diagnostics)
}

// Base is what the frame fills.
func (m *ObjectModel) Base() *ObjectModel { return m }

// InNamespace is nil: there is none.
func (m *ObjectModel) InNamespace() *types.String { return nil }

// InNamespace is the attribute of the namespace.
func (m *NamespacedModel) InNamespace() *types.String { return &m.Namespace }

// Key is known even while the attribute id is not.
func (m *ObjectModel) Key() (namespace, name string) { return "", m.Name.ValueString() }

// Key is known even while the attribute id is not.
func (m *NamespacedModel) Key() (namespace, name string) {
	return m.Namespace.ValueString(), m.Name.ValueString()
}

// Keyed is anything that is found by namespace and name; a namespace of "" means none.
type Keyed interface {
	Key() (namespace, name string)
}

// KeyID is the id of what is found by namespace and name.
func KeyID(m Keyed) string {
	namespace, name := m.Key()
	if namespace == "" {
		return name
	}
	return ID(namespace, name)
}

// Title names an object in messages, such as `SSH key "default/laptop"`.
func Title(what string, m Keyed) string { return what + ` "` + KeyID(m) + `"` }

// Metadata are the attributes that live in labels and annotations.
func (m *ObjectModel) Metadata() Metadata {
	return Metadata{Description: m.Description, Tags: m.Tags, Labels: m.Labels}
}

// DescribesItself is a model of a kind that keeps its description in a field of its own: the model's methods deal
// with it, and it is no annotation.
type DescribesItself interface{ DescribesItself() }

// metadataOf are the attributes of a model that live in labels and annotations.
func metadataOf[M, T any, P Model[M, T]](m P) Metadata {
	metadata := m.Base().Metadata()
	if _, own := any(m).(DescribesItself); own {
		metadata.Description = types.StringNull()
	}
	return metadata
}

// Fill takes over what the API has.
func Fill[M, T any, P Model[M, T], O objects.Object[T]](ctx context.Context, m P, object O) diag.Diagnostics {
	base := m.Base()
	imported := base.State.IsNull() // everything else fills it first
	metadata := base.Metadata().Read(object, imported)
	base.Tags, base.Labels = metadata.Tags, metadata.Labels
	if _, own := any(m).(DescribesItself); !own {
		base.Description = metadata.Description
	}
	base.Name = types.StringValue(object.GetName())
	if namespace := m.InNamespace(); namespace != nil {
		*namespace = types.StringValue(object.GetNamespace())
	}
	base.ID = types.StringValue(KeyID(m))
	diags := m.FromAPI(ctx, object, imported)
	ShowTermination(object, &base.State, &base.Message)
	return diags
}

// Wanted builds the object to create.
func Wanted[M, T any, P Model[M, T], O objects.Object[T]](ctx context.Context, m P) (O, diag.Diagnostics) {
	object, diags := m.ToAPI(ctx)
	if diags.HasError() {
		return nil, diags
	}
	metadata := metadataOf[M, T](m)
	labels, more := metadata.Labelled(ctx)
	diags.Append(more...)
	describe(O(object), m, labels, metadata.Annotated())
	return object, diags
}

func describe(object metav1.Object, key Keyed, labels, annotations map[string]string) {
	namespace, name := key.Key()
	object.SetNamespace(namespace)
	object.SetName(name)
	object.SetLabels(joined(object.GetLabels(), labels))
	object.SetAnnotations(joined(object.GetAnnotations(), annotations))
}

// Changes is the merge patch from the state before to the plan; empty if nothing changes.
func Changes[M, T any, P Model[M, T]](ctx context.Context, plan, before P) (map[string]any, diag.Diagnostics) {
	patch, diags := plan.Changes(ctx, before)
	metadata, more := Patch(ctx, metadataOf[M, T](before), metadataOf[M, T](plan))
	diags.Append(more...)
	if len(metadata) == 0 {
		return patch, diags
	}
	if patch == nil {
		patch = map[string]any{}
	}
	own, _ := patch["metadata"].(map[string]any) // of annotations that are arguments
	for key, value := range metadata {
		given, _ := own[key].(map[string]any)
		shared, _ := value.(map[string]any)
		metadata[key] = joined(given, shared)
	}
	patch["metadata"] = joined(own, metadata)
	return patch, diags
}

// joined is both maps in one; what both have is as in the second.
func joined[V any](first, second map[string]V) map[string]V {
	all := make(map[string]V, len(first)+len(second))
	for _, some := range []map[string]V{first, second} {
		maps.Copy(all, some)
	}
	return all
}
