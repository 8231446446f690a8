# By namespace and name.
terraform import harvester_decrypted_image.bookworm default/bookworm-decrypted
