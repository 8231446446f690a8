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
  file_path          = var.file
  checksum           = var.sum
  decompress         = "auto"
  file_changes       = "replace"
  verify             = "strict"
  backend            = "backingimage"
  storage_class_name = "harvester-longhorn"
  retry              = 1
  stall_timeout      = "4m"
  description        = "before"
  labels             = { team = "blue" }
  tags               = { tier = "1" }
}

resource "harvester_image" "download" {
  name         = "${var.name}-download"
  display_name = "${var.name}-download"
  source_type  = "download"
  url          = var.url
  retry        = 1
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
  description   = "before"
}

resource "harvester_image" "clone" {
  name               = "${var.name}-clone"
  display_name       = "${var.name}-clone"
  source_type        = "clone"
  storage_class_name = var.class
  description        = "before"
  security_parameters = {
    crypto_operation       = "encrypt"
    source_image_name      = harvester_image.upload.name
    source_image_namespace = harvester_image.upload.namespace
  }
}
