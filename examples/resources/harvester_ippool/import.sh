terraform import harvester_ippool.lab web
