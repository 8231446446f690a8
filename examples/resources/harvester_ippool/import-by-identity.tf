import {
  to = harvester_ippool.lab
  identity = {
    name = "web"
  }
}
