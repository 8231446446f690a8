terraform {
  required_providers {
    harvester = {
      source = "harvester-community/harvester"
    }
  }
}

variable "image" {
  description = "The image to start from, as namespace/name"
  type        = string
  default     = "default/ubuntu-24.04"
}

output "image_name" {
  value = provider::harvester::parse_id(var.image).name
}
