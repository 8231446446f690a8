# Copyright (c) the terraform-provider-harvester authors
# SPDX-License-Identifier: MPL-2.0

variable "short" {
  type = string
}

resource "harvester_clusternetwork" "a" {
  name = var.short
}

resource "harvester_clusternetwork" "b" {
  name = "${var.short}-b"
}

resource "harvester_vlanconfig" "test" {
  name                 = var.short
  cluster_network_name = harvester_clusternetwork.b.name
  node_selector        = { "kubernetes.io/hostname" = "harvester-node-1" }
  description          = "after"
  labels               = { team = "red" }
  tags                 = { tier = "2" }

  uplink {
    nics        = ["eno4"]
    bond_mode   = "802.3ad"
    bond_miimon = 0
    mtu         = 1600
  }
}
