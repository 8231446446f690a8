# Copyright (c) the terraform-provider-harvester authors
# SPDX-License-Identifier: MPL-2.0

variable "name" {
  type = string
}

variable "file" {
  type = string
}

resource "harvester_volume" "blank" {
  name               = "${var.name}-blank"
  namespace          = "default"
  size               = "2Gi"
  storage_class_name = "harvester-longhorn"
  volume_mode        = "Filesystem"
  access_mode        = "ReadWriteOnce"
  force_detach       = false
  description        = "after"
  labels             = { team = "red" }
  tags               = { tier = "2" }
}

resource "harvester_image" "source" {
  name         = "${var.name}-source"
  display_name = "${var.name}-source"
  source_type  = "upload"
  file_path    = var.file
}

resource "harvester_volume" "filled" {
  name  = "${var.name}-filled"
  size  = "2Gi"
  image = harvester_image.source.id
}
