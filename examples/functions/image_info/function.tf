terraform {
  required_providers {
    harvester = {
      source = "harvester-community/harvester"
    }
  }
}

resource "harvester_image" "ubuntu" {
  name         = "ubuntu"
  display_name = "ubuntu"
  source_type  = "upload"
  file_path    = "${path.module}/ubuntu-24.04.qcow2"
}

# As large as the image, whatever build of it lies there.
resource "harvester_volume" "root" {
  name  = "root"
  image = harvester_image.ubuntu.id
  size  = provider::harvester::image_info(harvester_image.ubuntu.file_path).virtual_size_quantity
}
