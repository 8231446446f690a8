import {
  to = harvester_encrypted_image.bookworm
  identity = {
    namespace = "default"
    name      = "bookworm-encrypted"
  }
}
