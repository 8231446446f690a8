# Copyright (c) the terraform-provider-harvester authors
# SPDX-License-Identifier: MPL-2.0

variable "name" {
  type = string
}

variable "file" {
  type = string
}

variable "other" {
  type = string
}

variable "sum" {
  type = string
}

variable "url" {
  type = string
}

variable "class" {
  type = string
}

resource "harvester_image" "upload" {
  name               = "${var.name}-upload"
  namespace          = "default"
  display_name       = "${var.name}-upload"
  source_type        = "upload"
  file_path          = var.other
  checksum           = var.sum
  decompress         = "none"
  file_changes       = "ignore"
  verify             = "auto"
  backend            = "backingimage"
  storage_class_name = "harvester-longhorn"
  retry              = 2
  stall_timeout      = "6m"
  description        = "after"
  labels             = { team = "red" }
  tags               = { tier = "2" }
}

resource "harvester_image" "download" {
  name         = "${var.name}-download"
  display_name = "${var.name}-download"
  source_type  = "download"
  url          = var.url
  retry        = 2
}

resource "harvester_volume" "source" {
  name = "${var.name}-source"
}

resource "harvester_image" "export" {
  name          = "${var.name}-export"
  display_name  = "${var.name}-export"
  source_type   = "export-from-volume"
  pvc_namespace = "default"
  pvc_name      = harvester_volume.source.name
  description   = "after"
}

resource "harvester_image" "clone" {
  name               = "${var.name}-clone"
  display_name       = "${var.name}-clone"
  source_type        = "clone"
  storage_class_name = var.class
  description        = "after"
  security_parameters = {
    crypto_operation       = "encrypt"
    source_image_name      = harvester_image.upload.name
    source_image_namespace = harvester_image.upload.namespace
  }
}
