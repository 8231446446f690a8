import {
  to = harvester_pcidevice.gpu
  identity = {
    name = "harvester-node-0-000001000"
  }
}
