resource "harvester_ippool" "lab" {
  name        = "web"
  description = "Addresses for load balancers in the namespace default"

  range {
    subnet  = "192.0.2.0/24"
    gateway = "192.0.2.1"
    start   = "192.0.2.100"
    end     = "192.0.2.150"
  }

  selector {
    priority = 10
    scope {
      namespace = "default"
    }
  }
}
