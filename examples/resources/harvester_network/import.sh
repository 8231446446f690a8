# By namespace and name.
terraform import harvester_network.office default/office
