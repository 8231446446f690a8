# Copyright (c) the terraform-provider-harvester authors
# SPDX-License-Identifier: MPL-2.0

variable "name" {
  type = string
}

resource "harvester_virtualmachine" "test" {
  count        = 2
  name         = "${var.name}-${count.index}"
  run_strategy = "Halted"

  disk {
    name        = "root"
    size        = "1Gi"
    volume_name = "${var.name}-${count.index}"
    auto_delete = true
  }
  network_interface {
    name = "default"
  }
}

resource "harvester_schedule_backup" "machine" {
  name            = "${var.name}-a"
  namespace       = "default"
  vm_name         = harvester_virtualmachine.test[0].id
  schedule        = "0 23 * * *"
  type            = "snapshot"
  retain          = 7
  max_failure     = 2
  enabled         = false
  skip_cron_check = true
  description     = "after"
  labels          = { team = "red" }
  tags            = { tier = "2" }
}

resource "harvester_schedule_backup" "volume" {
  name        = "${var.name}-b"
  volume_name = harvester_virtualmachine.test[1].disk[0].volume_name
  schedule    = "30 23 * * *"
  type        = "snapshot"
}
