terraform {
  required_providers {
    harvester = {
      source = "harvester-community/harvester"
    }
  }
}

variable "name" {
  type = string
}

variable "image_file" {
  description = "The disk image to upload."
  type        = string
}

variable "replicas" {
  type    = number
  default = 1

  validation {
    condition     = var.replicas >= 1
    error_message = "At least one machine is needed."
  }
}

resource "harvester_image" "base" {
  name         = "${var.name}-base"
  display_name = "${var.name}-base.qcow2"
  source_type  = "upload"
  file_path    = var.image_file
}

resource "harvester_virtualmachine" "node" {
  count = var.replicas

  name   = "${var.name}-${count.index}"
  cpu    = 1
  memory = "1Gi"

  disk {
    name        = "root"
    size        = "10Gi"
    image       = harvester_image.base.id
    auto_delete = true
  }

  network_interface {
    name           = "default"
    wait_for_lease = true
  }
}

output "addresses" {
  value = [for node in harvester_virtualmachine.node : node.network_interface[0].ip_address]
}
