terraform {
  required_providers {
    harvester = {
      source = "harvester-community/harvester"
    }
  }
}

variable "build" {
  type = string
}

variable "file" {
  type = string
}

resource "harvester_image" "base" {
  name         = "rotating-${var.build}"
  display_name = "rotating-${var.build}.qcow2"
  source_type  = "upload"
  file_path    = var.file

  # First the new image, then the machine from it, and last of all the old image goes.
  lifecycle {
    create_before_destroy = true
  }
}

resource "harvester_virtualmachine" "worker" {
  name   = "rotating-${var.build}"
  cpu    = 1
  memory = "1Gi"

  disk {
    name        = "root"
    size        = "10Gi"
    image       = harvester_image.base.id
    auto_delete = true
  }

  network_interface {
    name = "default"
  }

  lifecycle {
    create_before_destroy = true
  }
}
