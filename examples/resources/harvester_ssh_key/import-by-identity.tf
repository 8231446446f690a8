import {
  to = harvester_ssh_key.ops
  identity = {
    namespace = "default"
    name      = "ops"
  }
}
