# A Secret with cloud-init data that someone else keeps.
data "harvester_cloudinit_secret" "base" {
  name      = "base"
  namespace = "default"
}

# Its text may be added to; base64 keeps what is no text.
resource "harvester_cloudinit_secret" "web" {
  name             = "web"
  user_data_base64 = data.harvester_cloudinit_secret.base.user_data_base64
  network_data     = data.harvester_cloudinit_secret.base.network_data
}
