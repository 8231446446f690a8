# By namespace and name.
terraform import harvester_encrypted_image.bookworm default/bookworm-encrypted
