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

resource "harvester_image" "broken" {
  name         = "broken"
  display_name = "broken.qcow2"
  source_type  = "upload"
  file_path    = var.file
}
