import {
  to = harvester_volume.data
  identity = {
    namespace = "default"
    name      = "data"
  }
}
