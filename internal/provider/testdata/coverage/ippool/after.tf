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
  description = "after"
  labels      = { team = "red" }
  tags        = { tier = "2" }

  range {
    subnet  = "${var.net}.1.0/24"
    start   = "${var.net}.1.20"
    end     = "${var.net}.1.29"
    gateway = "${var.net}.1.1"
  }

  selector {
    priority = 77002
    network  = harvester_network.vlan[1].id
    scope {
      project       = "*"
      namespace     = "${var.name}-b"
      guest_cluster = "*"
    }
  }
}
