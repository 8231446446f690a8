# By name.
terraform import harvester_storageclass.ssd ssd-replicas-3
