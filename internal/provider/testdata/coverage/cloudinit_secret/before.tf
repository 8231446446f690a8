# Copyright (c) the terraform-provider-harvester authors
# SPDX-License-Identifier: MPL-2.0

variable "name" {
  type = string
}

resource "harvester_cloudinit_secret" "text" {
  name         = "${var.name}-text"
  namespace    = "default"
  user_data    = "#cloud-config\npackage_update: true\n"
  network_data = "version: 1\n"
  description  = "before"
  labels       = { team = "blue" }
  tags         = { tier = "1" }
}

resource "harvester_cloudinit_secret" "encoded" {
  name                = "${var.name}-encoded"
  user_data_base64    = base64encode("#cloud-config\npackage_update: true\n")
  network_data_base64 = base64encode("version: 1\n")
}

resource "harvester_cloudinit_secret" "hidden" {
  name                    = "${var.name}-hidden"
  user_data_wo            = "#cloud-config\npassword: one\n"
  user_data_wo_version    = 1
  network_data_wo         = "version: 1\n"
  network_data_wo_version = 1
}
