# Copyright (c) the terraform-provider-harvester authors
# SPDX-License-Identifier: MPL-2.0

variable "name" {
  type = string
}

variable "net" {
  type = string
}

resource "harvester_ippool" "pool" {
  count = 2
  name  = "${var.name}-${count.index}"
  range {
    subnet  = "${var.net}.${count.index}.0/24"
    start   = "${var.net}.${count.index}.10"
    end     = "${var.net}.${count.index}.19"
    gateway = "${var.net}.${count.index}.1"
  }
}

resource "harvester_virtualmachine" "backend" {
  name = "${var.name}-backend"
  tags = { role = var.name }

  disk {
    name                 = "root"
    container_image_name = "quay.io/containerdisks/debian:13"
  }
  network_interface {
    name           = "default"
    wait_for_lease = true
  }
}

resource "harvester_loadbalancer" "test" {
  name              = var.name
  namespace         = "default"
  workload_type     = "vm"
  ipam              = "pool"
  ippool            = harvester_ippool.pool[1].name
  wait_for_backends = true
  description       = "after"
  labels            = { team = "red" }
  tags              = { tier = "2" }

  listener {
    name         = "dns"
    port         = 53
    protocol     = "UDP"
    backend_port = 5353
  }

  listener {
    name         = "check"
    port         = 9000
    protocol     = "TCP"
    backend_port = 9002
  }

  backend_selector {
    key    = "tag.harvesterhci.io/role"
    values = [var.name]
  }

  healthcheck {
    port              = 9002
    success_threshold = 2
    failure_threshold = 4
    period_seconds    = 6
    timeout_seconds   = 8
  }
}
