data "harvester_sriov_network_device" "uplink" {
  name = "harvester-node-0-enp3s0f0"
}

output "virtual_functions" {
  value = data.harvester_sriov_network_device.uplink.virtual_functions
}
