resource "harvester_image" "jammy" {
  name         = "jammy"
  display_name = "ubuntu-22.04.img"
  source_type  = "download"
  url          = "https://cloud-images.ubuntu.com/jammy/current/jammy-server-cloudimg-amd64.img"
}

# The file appears when it is complete and verified.
resource "harvester_image_download" "jammy" {
  image    = harvester_image.jammy.id
  filename = "${path.module}/images/jammy.img"

  timeouts {
    create = "2h"
  }
}

output "sha256" {
  value = harvester_image_download.jammy.sha256
}
