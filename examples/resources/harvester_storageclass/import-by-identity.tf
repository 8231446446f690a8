import {
  to = harvester_storageclass.ssd
  identity = {
    name = "ssd-replicas-3"
  }
}
