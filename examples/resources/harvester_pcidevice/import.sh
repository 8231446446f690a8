terraform import harvester_pcidevice.gpu harvester-node-0-000001000
