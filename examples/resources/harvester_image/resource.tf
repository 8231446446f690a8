# A local file is uploaded. Apply returns when the image is ready to use.
resource "harvester_image" "bookworm" {
  name         = "bookworm"
  namespace    = "default"
  display_name = "debian-12.qcow2"
  source_type  = "upload"
  file_path    = "${path.module}/debian-12.qcow2"

  tags = {
    os = "debian"
  }

  timeouts {
    create = "2h"
  }
}

# The cluster fetches a file.
resource "harvester_image" "jammy" {
  name         = "jammy"
  display_name = "ubuntu-22.04.img"
  source_type  = "download"
  url          = "https://cloud-images.ubuntu.com/jammy/current/jammy-server-cloudimg-amd64.img"
}

# Harvester itself compares what arrives, for which the file is read once more, before it is sent.
resource "harvester_image" "trixie" {
  name         = "trixie"
  display_name = "debian-13.qcow2"
  source_type  = "upload"
  file_path    = "${path.module}/debian-13.qcow2"
  verify       = "strict"
}
