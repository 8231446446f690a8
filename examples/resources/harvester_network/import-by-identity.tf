import {
  to = harvester_network.office
  identity = {
    namespace = "default"
    name      = "office"
  }
}
