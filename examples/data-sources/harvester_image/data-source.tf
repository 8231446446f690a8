# An image that somebody else uploads: another configuration, or the dashboard.
# The plan waits here until it is complete, so the virtual machine below never
# meets half an image.
data "harvester_image" "base" {
  display_name   = "debian-13-generic-amd64.img"
  namespace      = "default"
  wait_for_ready = true

  timeouts {
    read = "30m"
  }
}

resource "harvester_virtualmachine" "web" {
  name   = "web"
  memory = "2Gi"

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
