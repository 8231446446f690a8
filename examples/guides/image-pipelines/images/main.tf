terraform {
  required_providers {
    harvester = {
      source = "harvester-community/harvester"
    }
  }
}

variable "build" {
  description = "What the build is called, as in 20260115-1."
  type        = string
}

variable "file" {
  description = "The image that Packer or virt-builder wrote."
  type        = string
}

# A name of its own for each build, and a workspace of its own: machines that have an older one keep it.
resource "harvester_image" "base" {
  name         = "base-${var.build}"
  display_name = "base-${var.build}.qcow2"
  source_type  = "upload"
  file_path    = var.file

  labels = {
    pipeline = "base"
    build    = var.build
  }
}

output "image" {
  value = harvester_image.base.id
}
