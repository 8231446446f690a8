# Copyright (c) the terraform-provider-harvester authors
# SPDX-License-Identifier: MPL-2.0

variable "name" {
  type = string
}

resource "harvester_storageclass" "test" {
  name                   = var.name
  volume_provisioner     = "driver.longhorn.io"
  reclaim_policy         = "Retain"
  volume_binding_mode    = "WaitForFirstConsumer"
  allow_volume_expansion = false
  is_default             = false
  description            = "after"
  labels                 = { team = "red" }
  tags                   = { tier = "2" }

  parameters = {
    migratable          = "true"
    numberOfReplicas    = "1"
    staleReplicaTimeout = "30"
  }

  allowed_topologies {
    match_label_expressions {
      key    = "zone"
      values = ["a", "b"]
    }
  }
}
