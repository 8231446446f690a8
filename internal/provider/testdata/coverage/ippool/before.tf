# Copyright (c) the terraform-provider-harvester authors
# SPDX-License-Identifier: MPL-2.0

variable "name" {
  type = string
}

variable "net" {
  type = string
}

resource "harvester_network" "vlan" {
  count                = 2
  name                 = "${var.name}-${count.index}"
  cluster_network_name = "mgmt"
  vlan_id              = 2110 + count.index
}

resource "harvester_ippool" "test" {
  name        = var.name
  description = "before"
  labels      = { team = "blue" }
  tags        = { tier = "1" }

  range {
    subnet  = "${var.net}.0.0/24"
    start   = "${var.net}.0.10"
    end     = "${var.net}.0.19"
    gateway = "${var.net}.0.1"
  }

  selector {
    priority = 77001
    network  = harvester_network.vlan[0].id
    scope {
      project       = "c-1/p-1"
      namespace     = var.name
      guest_cluster = "guest"
    }
  }
}
