import {
  to = harvester_image.bookworm
  identity = {
    namespace = "default"
    name      = "bookworm"
  }
}
