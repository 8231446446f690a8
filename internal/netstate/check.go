// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package netstate

import (
	"context"
	"fmt"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/types"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
	"github.com/harvester-community/terraform-provider-harvester/internal/session"
	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
	"github.com/harvester-community/terraform-provider-harvester/internal/wait"
)

// appearing is how long a cluster network may take to be made by the same run, which may not know of the order.
const appearing = 30 * time.Second

// CheckClusterNetwork says whether there is the cluster network that the argument cluster_network_name names. A plan only
// warns if there is none, because the run may make it; before the first write, that is waited for.
func CheckClusterNetwork(ctx context.Context, s *session.Session, named types.String, applying bool) (there bool, diags diag.Diagnostics) {
	name := named.ValueString()
	if name == "" {
		return false, nil
	}
	_, err := kube.For[api.ClusterNetwork](s.Client, api.ClusterNetworks, api.KindClusterNetwork).Recent(ctx, "", name)
	switch {
	case err == nil:
		return true, nil
	case !apierrors.IsNotFound(err):
		if applying {
			return false, nil // the request itself tells
		}
		return false, s.Unchecked(err)
	case !applying && s.Objects.Has(session.Object(api.ClusterNetworks, "", name)):
		return false, nil
	case applying && appears(ctx, s, name):
		return true, nil
	}
	const summary = "Cluster network not found"
	at, detail := path.Root("cluster_network_name"), fmt.Sprintf("There is no cluster network %q in the cluster.", name)
	if applying {
		diags.AddAttributeError(at, summary, detail+" "+tfbase.NothingDone+"\n\nMake it with a harvester_clusternetwork, and refer to its name.")
	} else {
		diags.AddAttributeWarning(at, summary, detail+" That is well if this run creates it; refer to the resource that does, so that Terraform makes it first.")
	}
	return false, diags
}

func appears(ctx context.Context, s *session.Session, name string) bool {
	ctx, cancel := context.WithTimeout(ctx, appearing)
	defer cancel()
	_, err := s.Hub.Until(ctx, wait.Target{Resource: api.ClusterNetworks, Name: name}, func(object *unstructured.Unstructured) (wait.Progress, error) {
		return wait.Progress{Done: object != nil && object.GetDeletionTimestamp() == nil}, nil
	}, wait.Options{})
	return err == nil
}
