data "harvester_loadbalancer" "web" {
  name      = "web"
  namespace = "default"
}

output "address" {
  value = data.harvester_loadbalancer.web.ip_address
}
