// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package network

import (
	"context"

	"github.com/harvester/harvester-network-controller/pkg/config"
	"github.com/harvester/harvester-network-controller/pkg/controller/manager/clusternetwork"
	"github.com/harvester/harvester-network-controller/pkg/controller/manager/node"
	"github.com/harvester/harvester-network-controller/pkg/controller/manager/vlanconfig"
)

// startManager starts the real controllers of the manager, all but that of network attachment definitions.
func (n *Network) startManager(ctx context.Context) error {
	management, err := config.SetupManagement(ctx, n.Config, &config.Options{Namespace: namespace})
	if err != nil {
		return err
	}
	for _, register := range []config.RegisterFunc{vlanconfig.Register, node.Register, clusternetwork.Register} {
		if err := register(ctx, management); err != nil {
			return err
		}
	}
	return management.Start(threads)
}
