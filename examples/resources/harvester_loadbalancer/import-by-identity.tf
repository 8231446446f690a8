import {
  to = harvester_loadbalancer.web
  identity = {
    namespace = "default"
    name      = "web"
  }
}
