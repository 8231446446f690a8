# A cluster network with its uplink: it is ready when the uplink is set up on a node.
resource "harvester_clusternetwork" "storage" {
  name        = "storage"
  description = "25 Gbit/s cards, for virtual machines with much traffic"
}

resource "harvester_vlanconfig" "storage" {
  name                 = "storage-uplink"
  cluster_network_name = harvester_clusternetwork.storage.name

  uplink {
    nics = ["ens1f14"]
    mtu  = 9000
  }
}
