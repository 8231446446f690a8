# By namespace and name.
terraform import harvester_virtualmachine.web default/web
