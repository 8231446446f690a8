import {
  to = harvester_vlanconfig.all
  identity = {
    name = "workload-all"
  }
}
