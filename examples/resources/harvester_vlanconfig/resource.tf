resource "harvester_clusternetwork" "workload" {
  name = "workload"
}

# Two cards of every node as one uplink.
resource "harvester_vlanconfig" "all" {
  name                 = "workload-all"
  cluster_network_name = harvester_clusternetwork.workload.name

  uplink {
    nics      = ["ens1f12", "ens1f13"]
    bond_mode = "active-backup"
    mtu       = 1500
  }
}

resource "harvester_clusternetwork" "fast" {
  name = "fast"
}

# A card of one node alone.
resource "harvester_vlanconfig" "one" {
  name                 = "fast-node-0"
  cluster_network_name = harvester_clusternetwork.fast.name

  node_selector = {
    "kubernetes.io/hostname" = "harvester-node-0"
  }

  uplink {
    nics        = ["ens2f0"]
    bond_mode   = "balance-xor"
    bond_miimon = 100
  }
}
