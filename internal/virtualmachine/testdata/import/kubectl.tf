resource "harvester_virtualmachine" "test" {
  name         = "NAME"
  cpu          = 4
  memory       = "1Gi"
  run_strategy = "Halted"
  labels       = { "app.kubernetes.io/part-of" = "shop" }

  disk {
    name                 = "root"
    bus                  = "scsi"
    existing_volume_name = "NAME-claim"
  }
  network_interface {
    name = "default"
  }
  cloudinit {
    type             = "configDrive"
    user_data_base64 = "I2Nsb3VkLWNvbmZpZwo="
    network_data     = "version: 2\n"
  }
  host_device {
    name        = "card"
    device_name = "vendor.com/card"
  }
}
