# Harvester finds the key where the source had it from, so no storage class is
# needed; one without encryption can be named.
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

resource "harvester_decrypted_image" "bookworm" {
  name         = "bookworm-decrypted"
  display_name = "debian-12-decrypted"
  source_image = harvester_encrypted_image.bookworm.id
}
