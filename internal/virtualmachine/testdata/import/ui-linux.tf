resource "harvester_virtualmachine" "test" {
  name        = "NAME"
  description = "from the dashboard"
  cpu         = 2
  memory      = "2Gi"
  hostname    = "guest"
  ssh_keys    = ["NAME"]
  tags        = { tier = "web" }
  labels      = { app = "shop" }

  disk {
    name       = "disk-0"
    size       = "2Gi"
    boot_order = 1
    image      = "default/NAME"
  }
  network_interface {
    name = "default"
  }
  input {
    name = "tablet"
  }
  cloudinit {
    user_data_secret_name    = "NAME"
    network_data_secret_name = "NAME"
  }
}
