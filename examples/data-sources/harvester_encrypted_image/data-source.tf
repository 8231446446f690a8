# An encrypted image that someone else keeps.
data "harvester_encrypted_image" "base" {
  name = "debian-13-encrypted"
}

resource "harvester_volume" "data" {
  name  = "data"
  size  = "10Gi"
  image = data.harvester_encrypted_image.base.id
}
