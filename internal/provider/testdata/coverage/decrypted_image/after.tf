# Copyright (c) the terraform-provider-harvester authors
# SPDX-License-Identifier: MPL-2.0

variable "name" {
  type = string
}

variable "file" {
  type = string
}

variable "class" {
  type = string
}

resource "harvester_image" "plain" {
  name         = "${var.name}-plain"
  display_name = "${var.name}-plain"
  source_type  = "upload"
  file_path    = var.file
}

resource "harvester_encrypted_image" "sealed" {
  name               = "${var.name}-sealed"
  display_name       = "${var.name}-sealed"
  source_image       = harvester_image.plain.id
  storage_class_name = var.class
}

resource "harvester_decrypted_image" "test" {
  name               = var.name
  namespace          = "default"
  display_name       = var.name
  source_image       = harvester_encrypted_image.sealed.id
  storage_class_name = "harvester-longhorn"
  retry              = 2
  stall_timeout      = "6m"
  description        = "after"
  labels             = { team = "red" }
  tags               = { tier = "2" }
}
