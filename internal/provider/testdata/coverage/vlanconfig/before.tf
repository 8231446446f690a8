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
  cluster_network_name = harvester_clusternetwork.a.name
  node_selector        = { "kubernetes.io/hostname" = "harvester-node-0" }
  description          = "before"
  labels               = { team = "blue" }
  tags                 = { tier = "1" }

  uplink {
    nics        = ["eno3"]
    bond_mode   = "balance-xor"
    bond_miimon = 50
    mtu         = 9000
  }
}
