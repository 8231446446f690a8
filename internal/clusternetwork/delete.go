// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package clusternetwork

import (
	"context"
	"fmt"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
	"github.com/harvester-community/terraform-provider-harvester/internal/netstate"
	"github.com/harvester-community/terraform-provider-harvester/internal/objects"
	"github.com/harvester-community/terraform-provider-harvester/internal/session"
	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
)

// remove deletes the cluster network. VlanConfigs and networks on it may be on their way out in the same run, in any order.
func remove(d *tfbase.Deleting[*model, *clusterNetwork]) {
	if d.State.Name.ValueString() == api.ManagementNetwork {
		d.Request = func(context.Context, *clusterNetwork) diag.Diagnostics { return diag.Diagnostics{forgotten()} }
		d.AwaitGone = func(context.Context, *clusterNetwork) error { return nil }
		return
	}
	d.Request = func(ctx context.Context, network *clusterNetwork) diag.Diagnostics {
		_, err := netstate.Patiently(ctx, netstate.Leaving, netstate.InUse, func() (struct{}, error) {
			return struct{}{}, networksOf(d.Session).Delete(ctx, "", network.Name, network.UID)
		})
		switch {
		case err == nil, apierrors.IsNotFound(err):
			return nil
		case netstate.InUse(err):
			return diag.Diagnostics{inUse(ctx, d.Session, d.Identity, err)}
		}
		return objects.NotDeleted(d.Identity.Title, err)
	}
}

// planDelete says what a deletion of the management network amounts to.
func planDelete(_ context.Context, _ *session.Session, state *model, _ tfbase.Private) diag.Diagnostics {
	if state.Name.ValueString() == api.ManagementNetwork {
		return diag.Diagnostics{forgotten()}
	}
	return nil
}

func forgotten() diag.Diagnostic {
	return diag.NewWarningDiagnostic("The management network stays", fmt.Sprintf(
		"The cluster network %q belongs to the cluster and cannot be deleted. Terraform forgets it; it stays as it is.", api.ManagementNetwork))
}

// inUse names what is on the cluster network: what can be listed, else what the server says.
func inUse(ctx context.Context, s *session.Session, identity objects.Identity, refused error) diag.Diagnostic {
	var found []string
	configs, _ := kube.For[api.VlanConfig](s.Client, api.VlanConfigs, api.KindVlanConfig).List(ctx, "", "")
	for _, config := range configs {
		if config.Spec.ClusterNetwork == identity.Name {
			found = append(found, "VlanConfig "+config.Name)
		}
	}
	networks, _ := kube.For[api.Network](s.Client, api.Networks, api.KindNetwork).List(ctx, "", api.LabelClusterNetwork+"="+identity.Name)
	for _, network := range networks {
		found = append(found, "network "+tfbase.ID(network.Namespace, network.Name))
	}
	if len(found) == 0 {
		return objects.NotDeleted(identity.Title, refused)[0]
	}
	return diag.NewErrorDiagnostic("Cluster network in use", fmt.Sprintf(
		"The %s cannot be deleted, because these are on it:\n  - %s\nIt was not deleted.\n\nDelete them first, then apply again.",
		identity.Title, strings.Join(found, "\n  - ")))
}
