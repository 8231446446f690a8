resource "harvester_sriov_network_device" "uplink" {
  name              = "harvester-node-0-enp3s0f0"
  virtual_functions = 4
}

# The names are known after the first apply: terraform apply -target=harvester_sriov_network_device.uplink
output "virtual_functions" {
  value = harvester_sriov_network_device.uplink.vf_device_names
}
