// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package vlanconfig

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/netstate"
	"github.com/harvester-community/terraform-provider-harvester/internal/objects"
	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
)

// remove deletes the VlanConfig and waits until the nodes have taken it down. Machines that keep it may end in the same run.
func remove(d *tfbase.Deleting[*model, *config]) {
	var statuses []api.VlanStatus
	d.Request = func(ctx context.Context, c *config) diag.Diagnostics {
		all, err := netstate.Statuses(ctx, d.Session.Client, true)
		if err != nil {
			return objects.NotDeleted(d.Identity.Title, err)
		}
		statuses = netstate.Of(all, api.LabelVlanConfig, c.Name)
		_, err = netstate.Patiently(ctx, netstate.Leaving, netstate.InUse, func() (struct{}, error) {
			return struct{}{}, configsOf(d.Session).Delete(ctx, "", c.Name, c.UID)
		})
		if err != nil && !apierrors.IsNotFound(err) {
			return objects.NotDeleted(d.Identity.Title, err)
		}
		return nil
	}
	gone := d.AwaitGone
	d.AwaitGone = func(ctx context.Context, c *config) error {
		if err := gone(ctx, c); err != nil {
			return err
		}
		return awaitGone(ctx, d.Session, statuses)
	}
}
