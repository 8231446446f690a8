# By namespace and name.
terraform import harvester_image.bookworm default/bookworm
