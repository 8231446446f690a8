# Copyright (c) the terraform-provider-harvester authors
# SPDX-License-Identifier: MPL-2.0

variable "name" {
  type = string
}

resource "harvester_ssh_key" "test" {
  name        = var.name
  namespace   = "default"
  public_key  = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIE2cKWCGqAEWxGQ9gYzNgUkUeO1SmTXV7tzGeC5q0kyq ops"
  description = "after"
  labels      = { team = "red" }
  tags        = { tier = "2" }
}
