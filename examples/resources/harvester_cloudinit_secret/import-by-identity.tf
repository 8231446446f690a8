import {
  to = harvester_cloudinit_secret.web
  identity = {
    namespace = "default"
    name      = "web"
  }
}
