# An empty volume.
resource "harvester_volume" "data" {
  name        = "data"
  namespace   = "default"
  description = "Database files"

  # It can grow in place later.
  size = "50Gi"
}

resource "harvester_image" "noble" {
  name         = "noble"
  display_name = "ubuntu-24.04.img"
  source_type  = "download"
  url          = "https://cloud-images.ubuntu.com/noble/current/noble-server-cloudimg-amd64.img"
}

# A volume with the contents of an image. The reference by id makes Terraform finish
# the image first; the storage class is the image's own.
resource "harvester_volume" "root" {
  name  = "root"
  size  = "20Gi"
  image = harvester_image.noble.id
}

# A machine that boots from the one and has the other. It goes before they do.
resource "harvester_virtualmachine" "database" {
  name = "database"

  disk {
    name                 = "root"
    boot_order           = 1
    existing_volume_name = harvester_volume.root.name
  }

  disk {
    name                 = "data"
    existing_volume_name = harvester_volume.data.name
  }

  network_interface {
    name = "default"
  }
}
