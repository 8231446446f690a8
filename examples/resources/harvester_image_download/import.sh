# By the image's namespace and name, and the file, which must be a download of that image.
terraform import harvester_image_download.jammy default/jammy:images/jammy.img
