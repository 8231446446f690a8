# An image that was decrypted by someone else, saved to a file.
data "harvester_decrypted_image" "base" {
  name = "debian-13-decrypted"
}

resource "harvester_image_download" "base" {
  image    = data.harvester_decrypted_image.base.id
  filename = "${path.module}/debian-13.img"
}
