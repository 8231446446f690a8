terraform {
  required_providers {
    harvester = {
      source = "harvester-community/harvester"
    }
  }
}

# The cluster comes from HARVESTER_KUBECONFIG.
provider "harvester" {}

variable "file" {
  description = "A local image: qcow2, raw or ISO."
  type        = string
}

resource "harvester_image" "bookworm" {
  name         = "bookworm"
  display_name = "bookworm.qcow2"
  source_type  = "upload"
  file_path    = var.file
}

resource "harvester_virtualmachine" "web" {
  name   = "web"
  cpu    = 1
  memory = "1Gi"

  disk {
    name       = "root"
    size       = "10Gi"
    boot_order = 1
    # By its id, so Terraform finishes the image first.
    image       = harvester_image.bookworm.id
    auto_delete = true
  }

  network_interface {
    name           = "default"
    type           = "masquerade"
    wait_for_lease = true
  }
}

output "image" {
  value = "${harvester_image.bookworm.state}, ${harvester_image.bookworm.progress} %, ${harvester_image.bookworm.size} bytes"
}

output "virtual_machine" {
  value = "${harvester_virtualmachine.web.state} at ${harvester_virtualmachine.web.network_interface[0].ip_address}"
}
