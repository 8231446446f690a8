# Copyright (c) the terraform-provider-harvester authors
# SPDX-License-Identifier: MPL-2.0

variable "host" {
  type = string
}

variable "ca" {
  type = string
}

variable "dir" {
  type = string
}

variable "name" {
  type = string
}

provider "harvester" {
  bootstrap = true
}

resource "harvester_bootstrap" "shown" {
  api_url          = "${var.host}/sandbox/rancher/${var.name}-shown"
  ca_certificate   = "${var.ca}\n"
  kubeconfig       = "${var.dir}/shown-after"
  overwrite        = true
  initial_password = "admin"
  password         = "the second password"
}

resource "harvester_bootstrap" "hidden" {
  api_url             = "${var.host}/sandbox/rancher/${var.name}-hidden"
  insecure            = false
  kubeconfig          = "${var.dir}/hidden"
  initial_password    = "the first password"
  password_wo         = "the second password"
  password_wo_version = 2
}
