# Copyright (c) the terraform-provider-harvester authors
# SPDX-License-Identifier: MPL-2.0

resource "harvester_sriov_network_device" "test" {
  name              = "harvester-node-1-enp3s0f0"
  virtual_functions = 3
  description       = "after"
  labels            = { team = "red" }
  tags              = { tier = "2" }
}
