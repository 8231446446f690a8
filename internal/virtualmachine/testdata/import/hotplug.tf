resource "harvester_virtualmachine" "test" {
  name         = "NAME"
  cpu          = 2
  memory       = "2Gi"
  run_strategy = "Halted"

  disk {
    name                 = "tools"
    type                 = "cd-rom"
    container_image_name = "example.com/tools:1"
  }
  network_interface {
    name = "default"
    type = "bridge"
  }
}
