import {
  to = harvester_sriov_network_device.uplink
  identity = {
    name = "harvester-node-0-enp3s0f0"
  }
}
