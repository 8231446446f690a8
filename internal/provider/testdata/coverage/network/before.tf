# Copyright (c) the terraform-provider-harvester authors
# SPDX-License-Identifier: MPL-2.0

variable "name" {
  type = string
}

resource "harvester_network" "asked" {
  name                 = "${var.name}-asked"
  namespace            = "default"
  cluster_network_name = "mgmt"
  vlan_id              = 2101
  route_mode           = "auto"
  route_dhcp_server_ip = "198.51.100.2"
  wait_for_route       = true
  description          = "before"
  labels               = { team = "blue" }
  tags                 = { tier = "1" }
}

resource "harvester_network" "told" {
  name                 = "${var.name}-told"
  cluster_network_name = "mgmt"
  vlan_id              = 2103
  route_mode           = "manual"
  route_cidr           = "192.0.2.0/25"
  route_gateway        = "192.0.2.1"
}

resource "harvester_network" "switched" {
  name                 = "${var.name}-switched"
  cluster_network_name = "mgmt"
  vlan_id              = 2105
  route_mode           = "auto"
}

resource "harvester_network" "written" {
  name = "${var.name}-written"
  config = jsonencode({
    cniVersion  = "0.3.1"
    name        = "${var.name}-written"
    type        = "bridge"
    bridge      = "mgmt-br"
    promiscMode = true
    vlan        = 2106
    ipam        = {}
  })
}
