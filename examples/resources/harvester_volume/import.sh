# By namespace and name.
terraform import harvester_volume.data default/data
