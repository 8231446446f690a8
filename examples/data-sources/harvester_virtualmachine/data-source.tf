# A virtual machine that someone else keeps.
data "harvester_virtualmachine" "gateway" {
  name      = "gateway"
  namespace = "default"
}

# The address is null while the machine does not run.
output "gateway" {
  value = {
    state   = data.harvester_virtualmachine.gateway.state
    address = data.harvester_virtualmachine.gateway.network_interface[0].ip_address
  }
}
