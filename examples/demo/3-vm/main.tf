terraform {
  required_providers {
    harvester = {
      source = "harvester-community/harvester"
    }
  }
}

# The cluster comes from HARVESTER_KUBECONFIG.
provider "harvester" {}

resource "harvester_virtualmachine" "db" {
  name   = "db"
  cpu    = 1
  memory = "1Gi"

  disk {
    name       = "root"
    size       = "10Gi"
    boot_order = 1
    # Somebody else makes this image: Terraform cannot know when it is ready, the provider looks.
    image       = "default/trixie"
    auto_delete = true
  }

  network_interface {
    name           = "default"
    type           = "masquerade"
    wait_for_lease = true
  }
}

output "virtual_machine" {
  value = "${harvester_virtualmachine.db.state} at ${harvester_virtualmachine.db.network_interface[0].ip_address}"
}
