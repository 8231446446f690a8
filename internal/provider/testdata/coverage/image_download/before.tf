# Copyright (c) the terraform-provider-harvester authors
# SPDX-License-Identifier: MPL-2.0

variable "name" {
  type = string
}

variable "file" {
  type = string
}

variable "dir" {
  type = string
}

resource "harvester_image" "source" {
  count        = 2
  name         = "${var.name}-${count.index}"
  display_name = "${var.name}-${count.index}"
  source_type  = "upload"
  file_path    = var.file
}

resource "harvester_image_download" "test" {
  image                = harvester_image.source[0].id
  filename             = "${var.dir}/deep/disk.img"
  decompress           = true
  file_permission      = "0640"
  directory_permission = "0750"
  stall_timeout        = "4m"
}
