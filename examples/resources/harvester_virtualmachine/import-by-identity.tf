import {
  to = harvester_virtualmachine.web
  identity = {
    namespace = "default"
    name      = "web"
  }
}
