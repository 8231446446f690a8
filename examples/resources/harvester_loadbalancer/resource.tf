resource "harvester_ippool" "web" {
  name = "web-addresses"

  range {
    subnet = "198.51.100.0/28"
  }
}

resource "harvester_loadbalancer" "web" {
  name   = "web"
  ippool = harvester_ippool.web.name

  listener {
    name         = "https"
    port         = 443
    protocol     = "TCP"
    backend_port = 8443
  }

  # The virtual machines with the tag role = "web".
  backend_selector {
    key    = "tag.harvesterhci.io/role"
    values = ["web"]
  }

  healthcheck {
    port = 8443
  }
}

output "address" {
  value = harvester_loadbalancer.web.ip_address
}
