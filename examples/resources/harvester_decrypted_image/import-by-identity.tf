import {
  to = harvester_decrypted_image.bookworm
  identity = {
    namespace = "default"
    name      = "bookworm-decrypted"
  }
}
