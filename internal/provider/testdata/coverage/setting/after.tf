# Copyright (c) the terraform-provider-harvester authors
# SPDX-License-Identifier: MPL-2.0

resource "harvester_setting" "shown" {
  name        = "vm-force-reset-policy"
  value       = jsonencode({ enable = true, period = 400 })
  on_destroy  = "reset"
  description = "after"
  labels      = { team = "red" }
  tags        = { tier = "2" }
}

resource "harvester_setting" "hidden" {
  name             = "auto-rotate-rke2-certs"
  value_wo         = jsonencode({ enable = false, expiringInHours = 400 })
  value_wo_version = 2
}
