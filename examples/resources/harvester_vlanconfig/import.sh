# By name.
terraform import harvester_vlanconfig.all workload-all
