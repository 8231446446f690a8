# Copyright (c) the terraform-provider-harvester authors
# SPDX-License-Identifier: MPL-2.0

variable "name" {
  type = string
}

resource "harvester_ssh_key" "test" {
  name        = var.name
  namespace   = "default"
  public_key  = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdgBlcxUKtqHQ/0Zgsy9KFYuEPXYwmzPOXfzKdFtvDw ops"
  description = "before"
  labels      = { team = "blue" }
  tags        = { tier = "1" }
}
