// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package virtualmachine

import (
	"context"

	tflist "github.com/hashicorp/terraform-plugin-framework/list"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/objects"
	"github.com/harvester-community/terraform-provider-harvester/internal/session"
	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
)

// creatorOfGuests makes the nodes of guest clusters (harvester, pkg/util/constants.go).
const creatorOfGuests = "docker-machine-driver-harvester"

// NewListResource returns the list resource harvester_virtualmachine, not yet configured.
func NewListResource() tflist.ListResource {
	return tfbase.Listing{
		TypeName: Type, What: what, Resource: api.VirtualMachines, Namespaced: true,
		Note: "So are the nodes of guest clusters, which Rancher makes.",
		Offers: func(_ context.Context, _ *session.Session, object *unstructured.Unstructured) (bool, error) {
			return object.GetLabels()[labelCreator] != creatorOfGuests, nil
		},
		Show: func(ctx context.Context, s *session.Session, object *unstructured.Unstructured) (any, error) {
			m, diags := tfbase.Blank[model](ctx, vmSchema())
			r := Resource{}
			r.connect(s)
			m.Namespace, m.Name = types.StringValue(object.GetNamespace()), types.StringValue(object.GetName())
			seen, err := r.glance(ctx, m)
			if err != nil {
				return nil, err
			}
			if diags.Append(m.read(ctx, seen)...); diags.HasError() {
				return nil, &objects.DescribedError{Diagnostics: diags}
			}
			return m, nil
		},
	}.New()
}
