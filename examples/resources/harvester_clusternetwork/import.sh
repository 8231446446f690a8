# By name.
terraform import harvester_clusternetwork.storage storage
