# By namespace and name.
terraform import harvester_cloudinit_secret.web default/web
