resource "harvester_virtualmachine" "test" {
  name            = "NAME"
  description     = "from the dashboard"
  cpu             = 4
  cpu_model       = "host-model"
  memory          = "4Gi"
  reserved_memory = "256Mi"
  run_strategy    = "Halted"
  efi             = true
  secure_boot     = true
  node_selector   = { zone = "a" }

  disk {
    name       = "cdrom-disk"
    type       = "cd-rom"
    boot_order = 2
    image      = "NAME"
  }
  disk {
    name       = "rootdisk"
    size       = "32Gi"
    cache_mode = "none"
    boot_order = 1
  }
  disk {
    name                 = "virtio-container-disk"
    type                 = "cd-rom"
    container_image_name = "registry.suse.com/suse/vmdp/vmdp:2.5.4.3"
  }
  network_interface {
    name         = "default"
    model        = "e1000"
    mac_address  = "52:54:00:ab:cd:01"
    network_name = "default/NAME"
  }
  tpm {}
  toleration {
    key      = "dedicated"
    operator = "Exists"
  }
}
