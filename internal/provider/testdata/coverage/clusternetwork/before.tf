# Copyright (c) the terraform-provider-harvester authors
# SPDX-License-Identifier: MPL-2.0

variable "short" {
  type = string
}

resource "harvester_clusternetwork" "test" {
  name        = var.short
  description = "before"
  labels      = { team = "blue" }
  tags        = { tier = "1" }
}
