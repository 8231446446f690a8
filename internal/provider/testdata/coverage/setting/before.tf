# Copyright (c) the terraform-provider-harvester authors
# SPDX-License-Identifier: MPL-2.0

resource "harvester_setting" "shown" {
  name        = "vm-force-reset-policy"
  value       = jsonencode({ enable = true, period = 300 })
  on_destroy  = "restore"
  description = "before"
  labels      = { team = "blue" }
  tags        = { tier = "1" }
}

resource "harvester_setting" "hidden" {
  name             = "auto-rotate-rke2-certs"
  value_wo         = jsonencode({ enable = false, expiringInHours = 300 })
  value_wo_version = 1
}
