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
  ippool            = harvester_ippool.pool[0].name
  wait_for_backends = false
  description       = "before"
  labels            = { team = "blue" }
  tags              = { tier = "1" }

  listener {
    name         = "http"
    port         = 80
    protocol     = "TCP"
    backend_port = 8080
  }

  listener {
    name         = "check"
    port         = 9000
    protocol     = "TCP"
    backend_port = 9001
  }

  backend_selector {
    key    = "app"
    values = ["web", "api"]
  }

  healthcheck {
    port              = 9001
    success_threshold = 1
    failure_threshold = 3
    period_seconds    = 5
    timeout_seconds   = 7
  }
}
