data "harvester_ippool" "lab" {
  name = "lab"
}

output "free_addresses" {
  value = data.harvester_ippool.lab.available
}
