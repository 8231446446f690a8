// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package tfbase

import (
	"context"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/list"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/identityschema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	apischema "k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
	"github.com/harvester-community/terraform-provider-harvester/internal/objects"
	"github.com/harvester-community/terraform-provider-harvester/internal/session"
)

// Kind declares a resource and its data source: the model M (P is a pointer to it) of what the API has
// as T (O is a pointer to it). What is declared here is all in which kinds differ. The frame does the rest:
// state before waiting, time limits, whose the object is, interrupted creations, imports, states of the
// official provider. Every step is optional.
type Kind[M any, P Model[M, T], T any, O objects.Object[T]] struct {
	TypeName string
	// One is the kind with its article, as in "an SSH key"; Short is what to call it after that.
	One, Short string
	// Instead is one more way out where the name is taken, as in ", or refer to that one by name".
	Instead string

	// Resource and APIKind are what the API calls it, as in keypairs and KeyPair.
	Resource apischema.GroupVersionResource
	APIKind  string

	Schema schema.Schema
	Limits Limits
	// Omit names attributes that the data source lacks, because only a configuration can have them.
	Omit []string

	// ParseID splits the id of an import where that is neither namespace/name nor a name. The error says what is expected.
	ParseID func(id string) (namespace, name string, err error)
	// Clean prepares a state of the official provider, beyond what FromOfficial does.
	Clean func(state map[string]any)
	// Validate finds contradictions in the configuration that need no cluster. What is unknown may
	// still turn out right.
	Validate func(ctx context.Context, config P) diag.Diagnostics
	// Plan fills in what is computed.
	Plan func(ctx context.Context, p *Planning[P]) diag.Diagnostics
	// Check is everything that would refuse a creation or a change as things are. It is read twice: with
	// the plan, and again right before the first write. It is not asked for the first half of a replacement.
	Check func(ctx context.Context, c *Checking[P]) diag.Diagnostics
	// Replaces says that only another object can be what the plan wants.
	Replaces func(plan, state P) bool
	// Stirs names the attributes of what the cluster shows of an object (see Observed) that a change may move. All others
	// stay known in its plan, as the state has them. It is not asked about replacements.
	Stirs func(plan, state P) []string
	// Unstated names the things that a configuration may leave open without anybody seeing what they are. An
	// import finds all of them, and each stays in Planning.Imported until an apply has stated it.
	Unstated func(config P) []string
	// WriteOnly copies the write-only arguments into the plan, where FromAPI takes them out again.
	WriteOnly func(plan, config P)

	// Look reads the object; Recent is enough unless fresh. Default: the API's object.
	Look func(ctx context.Context, s *session.Session, namespace, name string, fresh bool) (O, error)
	// Listed is what Look would find, from the object as a list of the API has it. Default: Look, if there is one.
	Listed func(object *unstructured.Unstructured) (O, error)
	// Offers, ListFields and ListNote are Offers, Fields and Note of the Listing.
	Offers     Offer
	ListFields string
	ListNote   string
	// Elsewhere is what a data source says besides when there is no such object; "" is nothing.
	Elsewhere func(ctx context.Context, s *session.Session, namespace, name string) string
	// Intent lists what cannot be changed in an object later.
	Intent func(wanted O) []any
	// Prepare completes what is to be sent, after the last checks.
	Prepare func(ctx context.Context, s *session.Session, plan P, wanted O) diag.Diagnostics
	// Send wraps the requests that create and change.
	Send func(ctx context.Context, s *session.Session, request func() (O, error)) (O, error)
	// Annotate changes metadata of the object by a merge patch. Default: of the API's object.
	Annotate func(ctx context.Context, s *session.Session, object O, metadata map[string]any) (O, error)
	// Create, Change and Delete replace steps of these operations.
	Create func(s *session.Session, plan P, wanted O, usual *objects.Creation[O])
	Change func(ctx context.Context, s *session.Session, plan, state P, identity objects.Identity, patch map[string]any) (O, diag.Diagnostics)
	Delete func(d *Deleting[P, O])
	// PlanDelete looks at a deletion that is planned, and may note something for it.
	PlanDelete func(ctx context.Context, s *session.Session, state P, private Private) diag.Diagnostics
	// Await waits until what was created or changed can be used, and returns it as it was last seen;
	// nil if it is gone. State is nil after a creation.
	Await func(ctx context.Context, s *session.Session, plan, state P, object O) (O, diag.Diagnostics)
}

// Planning is a plan in the making.
type Planning[P any] struct {
	// Session is nil while the provider is not configured.
	Session *session.Session
	// State is nil when the object is to be made.
	Config, Plan, State P
	// Imported names what an import found and no apply has stated since, of what Kind.Unstated names: it is not
	// ours to change.
	Imported []string

	keep bool
}

// Keep plans no change.
func (p *Planning[P]) Keep() { p.keep = true }

// Checking is a check of what is planned.
type Checking[P any] struct {
	Session *session.Session
	// State is nil when the object is to be made.
	Plan, State P
	// Applying says that the first write comes next. Before that, what is missing may be made by this run.
	Applying bool
}

// Deleting is a deletion about to begin.
type Deleting[P any, O metav1.Object] struct {
	Session *session.Session
	State   P
	Private PrivateReader
	// Removal has the usual steps.
	*objects.Removal[O]
}

// NothingDone is the state that a refusal before the first write leaves things in.
const NothingDone = "Nothing was created or changed."

// Left is NothingDone when it is worth saying: at apply.
func (c *Checking[P]) Left() string {
	if c.Applying {
		return NothingDone
	}
	return ""
}

// Unchecked warns of a plan that could not look; at apply the write itself tells.
func (c *Checking[P]) Unchecked(err error) diag.Diagnostics {
	if c.Applying {
		return nil
	}
	return c.Session.Unchecked(err)
}

// what is the kind in messages, as in "SSH key".
func (k *Kind[M, P, T, O]) what() string {
	_, what, _ := strings.Cut(k.One, " ")
	return what
}

// namespaced says that the objects are in a namespace.
func (k *Kind[M, P, T, O]) namespaced() bool { return P(new(M)).InNamespace() != nil }

// address is the resource identity.
func (k *Kind[M, P, T, O]) address() identityschema.Schema {
	if k.namespaced() {
		return NamespacedAddress(k.what())
	}
	return ClusterScopedAddress(k.what())
}

func (k *Kind[M, P, T, O]) objects(s *session.Session) kube.Resource[T] {
	return kube.For[T](s.Client, k.Resource, k.APIKind)
}

func (k *Kind[M, P, T, O]) look(ctx context.Context, s *session.Session, key Keyed, fresh bool) (O, error) {
	namespace, name := key.Key()
	switch {
	case k.Look != nil:
		return k.Look(ctx, s, namespace, name, fresh)
	case fresh:
		return k.objects(s).Get(ctx, namespace, name)
	}
	return k.objects(s).Recent(ctx, namespace, name)
}

// NewResource returns the resource, not yet configured.
func (k *Kind[M, P, T, O]) NewResource() resource.Resource {
	return &framed[M, P, T, O]{Base: Base{TypeName: k.TypeName}, Kind: k}
}

// NewDataSource returns the data source, not yet configured.
func (k *Kind[M, P, T, O]) NewDataSource() datasource.DataSource {
	return DataSource[M]{
		TypeName: k.TypeName, What: k.what(), Schema: k.Schema, Omit: k.Omit, Elsewhere: k.Elsewhere,
		Look: func(ctx context.Context, s *session.Session, namespace, name string, m *M) error {
			object, err := k.look(ctx, s, key{namespace, name}, false)
			if err != nil {
				return err
			}
			if diags := Fill[M, T, P, O](ctx, m, object); diags.HasError() {
				return &objects.DescribedError{Diagnostics: diags}
			}
			return nil
		},
	}.New()
}

// NewListResource returns the list resource, not yet configured.
func (k *Kind[M, P, T, O]) NewListResource() list.ListResource {
	return Listing{
		TypeName: k.TypeName, What: k.what(), Resource: k.Resource, Namespaced: k.namespaced(), Fields: k.ListFields, Offers: k.Offers, Note: k.ListNote,
		Show: func(ctx context.Context, s *session.Session, listed *unstructured.Unstructured) (any, error) {
			object, err := k.listed(ctx, s, listed)
			if err != nil {
				return nil, err
			}
			m, diags := Blank[M](ctx, k.Schema)
			if diags.Append(Fill[M, T, P, O](ctx, m, object)...); diags.HasError() {
				return nil, &objects.DescribedError{Diagnostics: diags}
			}
			return m, nil
		},
	}.New()
}

func (k *Kind[M, P, T, O]) listed(ctx context.Context, s *session.Session, listed *unstructured.Unstructured) (O, error) {
	switch {
	case k.Listed != nil:
		return k.Listed(listed)
	case k.Look != nil:
		return k.Look(ctx, s, listed.GetNamespace(), listed.GetName(), false)
	}
	return kube.Decode[T](listed)
}

// key is a Keyed of its own.
type key struct{ namespace, name string }

func (k key) Key() (namespace, name string) { return k.namespace, k.name }
