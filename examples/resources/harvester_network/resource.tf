# A VLAN of the management network. Its DHCP server tells the addresses.
resource "harvester_network" "office" {
  name      = "office"
  namespace = "default"

  cluster_network_name = "mgmt"
  vlan_id              = 100
}

# Addresses that no DHCP server tells.
resource "harvester_network" "dmz" {
  name                 = "dmz"
  description          = "Reached from outside"
  cluster_network_name = "mgmt"
  vlan_id              = 200

  route_mode    = "manual"
  route_cidr    = "192.0.2.0/24"
  route_gateway = "192.0.2.1"
}

# Several VLANs at once, for machines that tell them apart themselves.
resource "harvester_network" "trunk" {
  name = "trunk"

  config = jsonencode({
    cniVersion  = "0.3.1"
    name        = "trunk"
    type        = "bridge"
    bridge      = "mgmt-br"
    promiscMode = true
    vlanTrunk   = [{ minID = 300, maxID = 310 }]
    ipam        = {}
  })
}
