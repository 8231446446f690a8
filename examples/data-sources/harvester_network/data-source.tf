data "harvester_network" "vlan" {
  name      = "vlan-100"
  namespace = "default"
}

output "gateway" {
  value = data.harvester_network.vlan.route_gateway
}
