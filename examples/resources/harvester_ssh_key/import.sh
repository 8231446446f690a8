# By namespace and name.
terraform import harvester_ssh_key.ops default/ops
