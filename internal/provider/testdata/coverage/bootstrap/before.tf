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
  ca_certificate   = var.ca
  kubeconfig       = "${var.dir}/shown"
  overwrite        = false
  initial_password = "admin"
  password         = "the first password"
}

resource "harvester_bootstrap" "hidden" {
  api_url             = "${var.host}/sandbox/rancher/${var.name}-hidden"
  insecure            = true
  kubeconfig          = "${var.dir}/hidden"
  initial_password    = "admin"
  password_wo         = "the first password"
  password_wo_version = 1
}
