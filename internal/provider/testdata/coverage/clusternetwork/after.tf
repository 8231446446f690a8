# Copyright (c) the terraform-provider-harvester authors
# SPDX-License-Identifier: MPL-2.0

variable "short" {
  type = string
}

resource "harvester_clusternetwork" "test" {
  name        = var.short
  description = "after"
  labels      = { team = "red" }
  tags        = { tier = "2" }
}
