# Volumes of virtual machines made from the copy are encrypted; the key is in the
# secret of the storage class. The guide "Encrypted images" has all that belongs to it.
resource "harvester_image" "bookworm" {
  name         = "bookworm"
  display_name = "debian-12.qcow2"
  source_type  = "download"
  url          = "https://cloud.debian.org/images/cloud/bookworm/latest/debian-12-genericcloud-amd64.qcow2"
}

resource "harvester_encrypted_image" "bookworm" {
  name               = "bookworm-encrypted"
  display_name       = "debian-12-encrypted"
  source_image       = harvester_image.bookworm.id
  storage_class_name = "encrypted"
}
