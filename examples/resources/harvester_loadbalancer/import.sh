terraform import harvester_loadbalancer.web default/web
