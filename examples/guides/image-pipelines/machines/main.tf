terraform {
  required_providers {
    harvester = {
      source = "harvester-community/harvester"
    }
  }
}

variable "build" {
  description = "The build whose image new machines get."
  type        = string
}

# Another configuration uploads it. If that still runs, this one waits.
data "harvester_image" "base" {
  name           = "base-${var.build}"
  wait_for_ready = true
}

resource "harvester_virtualmachine" "worker" {
  name   = "worker"
  cpu    = 2
  memory = "4Gi"

  disk {
    name        = "root"
    size        = "20Gi"
    image       = data.harvester_image.base.id
    auto_delete = true
  }

  network_interface {
    name = "default"
  }
}
