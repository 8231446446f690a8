// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package tfbase

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/list"
	"github.com/hashicorp/terraform-plugin-framework/list/schema"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/tfsdk"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	apischema "k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/harvester-community/terraform-provider-harvester/internal/diagnose"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
	"github.com/harvester-community/terraform-provider-harvester/internal/objects"
	"github.com/harvester-community/terraform-provider-harvester/internal/session"
)

// Listing declares a list resource (terraform query): the objects of a kind that people may want to manage. Those that
// belong to something else are left out, as a configuration of them would be in its way: what another object controls,
// what a Helm release manages, what is being made or deleted, and, unless the namespace is named, what is in those of the system.
type Listing struct {
	TypeName string
	// What is the kind in messages and descriptions, as in "volume".
	What string
	// Resource is what the API calls it; Namespaced says that its objects are in namespaces.
	Resource   apischema.GroupVersionResource
	Namespaced bool

	// Fields is a field selector that spares the reading of what is never offered; optional.
	Fields string
	// Filters are more arguments, and Select what they choose; optional.
	Filters map[string]schema.Attribute
	Select  func(ctx context.Context, config tfsdk.Config) (func(*unstructured.Unstructured) bool, diag.Diagnostics)
	// Offers leaves out more of what belongs to something else; optional.
	Offers Offer
	// Note says which those are, in a sentence of the description.
	Note string
	// DisplayName is what people see. Default: the id.
	DisplayName func(object *unstructured.Unstructured) string
	// Show is the resource's model of an object, like after an import. The error is the API's; NotFound says that it is gone.
	Show func(ctx context.Context, s *session.Session, object *unstructured.Unstructured) (model any, err error)
}

// Offer says whether people may want to manage an object.
type Offer func(ctx context.Context, s *session.Session, object *unstructured.Unstructured) (bool, error)

// listing is a list resource.
type listing struct {
	Base
	Listing
}

var _ list.ListResourceWithConfigure = (*listing)(nil)

// New returns the list resource, not yet configured.
func (l Listing) New() list.ListResource {
	return &listing{Base: Base{TypeName: l.TypeName}, Listing: l}
}

// ListResourceConfigSchema describes the filters.
func (l *listing) ListResourceConfigSchema(_ context.Context, _ list.ListResourceSchemaRequest, resp *list.ListResourceSchemaResponse) {
	attributes := map[string]schema.Attribute{
		"labels": schema.MapAttribute{
			Optional: true, ElementType: types.StringType,
			MarkdownDescription: "Only those with all of these labels. A tag is the label `tag.harvesterhci.io/<tag>`.",
		},
	}
	note := joinSentences("What belongs to something else is left out: what another object or a Helm release manages, and what is being made or deleted.", l.Note, "Sensitive values are never listed.")
	if l.Namespaced {
		attributes["namespace"] = schema.StringAttribute{
			Optional:            true,
			MarkdownDescription: "Only those of this namespace. Without it those of all namespaces, save those of the system (`harvester-system`, `longhorn-system`, `kube-…`, `cattle-…`, `fleet-…`).",
			Validators:          []validator.String{Name()},
		}
	}
	maps.Copy(attributes, l.Filters)
	resp.Schema = schema.Schema{
		MarkdownDescription: fmt.Sprintf("Every %s of the cluster, or those that match all filters, for `terraform query` (Terraform 1.14 and newer). %s", l.What, note),
		Attributes:          attributes,
	}
}

// joinSentences leaves out those that are empty.
func joinSentences(sentences ...string) string {
	return strings.Join(slices.DeleteFunc(sentences, func(sentence string) bool { return sentence == "" }), " ")
}

// List streams the objects.
func (l *listing) List(ctx context.Context, req list.ListRequest, stream *list.ListResultsStream) {
	if l.Session == nil {
		stream.Results = list.ListResultsStreamDiagnostics(diag.Diagnostics{session.Unconfigured()})
		return
	}
	selection, matches, diags := l.selection(ctx, req.Config)
	if diags.HasError() {
		stream.Results = list.ListResultsStreamDiagnostics(diags)
		return
	}
	stream.Results = func(push func(list.ListResult) bool) {
		left := req.Limit
		for object, err := range l.offered(ctx, selection, matches) {
			if err != nil {
				push(list.ListResult{Diagnostics: l.unlisted(err)})
				return
			}
			result, found := l.result(ctx, req, object)
			if !found {
				continue
			}
			if left--; !push(result) || left == 0 { // a limit of 0 is none
				return
			}
		}
	}
}

// selection is what the configuration asks for: of the server, and of each object.
func (l *listing) selection(ctx context.Context, config tfsdk.Config) (selection kube.Selection, matches func(*unstructured.Unstructured) bool, diags diag.Diagnostics) {
	var namespace types.String
	wanted := map[string]string{}
	if l.Namespaced {
		diags.Append(config.GetAttribute(ctx, path.Root("namespace"), &namespace)...)
	}
	diags.Append(config.GetAttribute(ctx, path.Root("labels"), &wanted)...)
	selector, err := labels.ValidatedSelectorFromSet(wanted)
	if err != nil {
		diags.AddAttributeError(path.Root("labels"), "Invalid labels", "No object can have these labels: "+err.Error()+".")
		return selection, nil, diags
	}
	selection = kube.Selection{Namespace: namespace.ValueString(), Labels: selector.String(), Fields: l.Fields}
	matches = func(*unstructured.Unstructured) bool { return true }
	if l.Select != nil {
		var more diag.Diagnostics
		matches, more = l.Select(ctx, config)
		diags.Append(more...)
	}
	return selection, matches, diags
}

// offered are the objects to list.
func (l *listing) offered(ctx context.Context, selection kube.Selection, matches func(*unstructured.Unstructured) bool) iter.Seq2[*unstructured.Unstructured, error] {
	return func(yield func(*unstructured.Unstructured, error) bool) {
		for object, err := range l.Session.Client.Each(ctx, l.Resource, selection) {
			offers := err == nil && !ofOthers(object) && (selection.Namespace != "" || !systemNamespace(object.GetNamespace())) && matches(object)
			if offers && l.Offers != nil {
				offers, err = l.Offers(ctx, l.Session, object)
			}
			if (offers || err != nil) && !yield(object, err) {
				return
			}
		}
	}
}

// result is an object as a list has it. One that is gone is not found.
func (l *listing) result(ctx context.Context, req list.ListRequest, object *unstructured.Unstructured) (result list.ListResult, found bool) {
	at := key{object.GetNamespace(), object.GetName()}
	result = req.NewListResult(ctx)
	result.DisplayName = KeyID(at)
	if l.DisplayName != nil {
		result.DisplayName = l.DisplayName(object)
	}
	result.Diagnostics.Append(Locate(ctx, result.Identity, at)...)
	if !req.IncludeResource {
		return result, true
	}
	model, err := l.Show(ctx, l.Session, object)
	switch {
	case apierrors.IsNotFound(err):
		return result, false
	case err != nil:
		return list.ListResult{Diagnostics: session.Warnings(objects.Failed("read", Title(l.What, at), "It is left out of the list.", err)...)}, true // as an error it would hide all others
	}
	result.Diagnostics.Append(result.Resource.Set(ctx, model)...)
	result.Diagnostics.Append(withhold(ctx, result.Resource)...)
	return result, true
}

// withhold takes out what is sensitive: terraform query -json would show it, and a generated configuration never has it.
func withhold(ctx context.Context, resource *tfsdk.Resource) (diags diag.Diagnostics) {
	shown, err := tftypes.Transform(resource.Raw, func(at *tftypes.AttributePath, value tftypes.Value) (tftypes.Value, error) {
		attribute, err := resource.Schema.AttributeAtTerraformPath(ctx, at)
		if err != nil || !attribute.IsSensitive() {
			return value, nil //nolint:nilerr // a block, or an element of a list
		}
		return tftypes.NewValue(value.Type(), nil), nil
	})
	if err != nil {
		diags.AddError("Unexpected value", "Please report this to the provider's developers: "+err.Error()+".")
		return diags
	}
	resource.Raw = shown
	return nil
}

// unlisted tells of a list that broke. A kind that the cluster does not know has no objects.
func (l *listing) unlisted(err error) diag.Diagnostics {
	if kube.Unserved(err) {
		return diag.Diagnostics{diag.NewWarningDiagnostic("Kind not known to the cluster", fmt.Sprintf(
			"This cluster knows no %s, so none is listed. It may need an add-on (in Harvester's dashboard: Advanced, Add-ons).", l.Resource.GroupResource()))}
	}
	return diag.Diagnostics{diagnose.API("list", l.Resource.Resource, "", err)}
}

// ofOthers says that an object is another one's, or about to come or go. A data volume only fills a volume.
func ofOthers(object *unstructured.Unstructured) bool {
	owner := metav1.GetControllerOf(object)
	return owner != nil && owner.Kind != "DataVolume" || object.GetLabels()["app.kubernetes.io/managed-by"] == "Helm" ||
		object.GetDeletionTimestamp() != nil || objects.Unfinished(object)
}

// systems are the namespaces, and prefixes of such, that Harvester and what it consists of keep for themselves.
var systems = []string{"harvester-system", "longhorn-system", "kube-", "cattle-", "fleet-", "cluster-fleet-", "rancher-"}

func systemNamespace(namespace string) bool {
	return slices.ContainsFunc(systems, func(system string) bool {
		return namespace == system || strings.HasSuffix(system, "-") && strings.HasPrefix(namespace, system)
	})
}
