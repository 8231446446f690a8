# Copyright (c) the terraform-provider-harvester authors
# SPDX-License-Identifier: MPL-2.0

resource "harvester_pcidevice" "test" {
  name                = "harvester-node-0-000001000"
  passthrough_enabled = false
}

resource "harvester_pcidevice" "described" {
  name                = "harvester-node-0-000001001"
  passthrough_enabled = true
  description         = "after"
  labels              = { team = "red" }
  tags                = { tier = "2" }
}
