import {
  to = harvester_clusternetwork.storage
  identity = {
    name = "storage"
  }
}
