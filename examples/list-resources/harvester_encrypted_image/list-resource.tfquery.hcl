list "harvester_encrypted_image" "all" {
  provider = harvester

  include_resource = true

  config {
    namespace = "default"
    state     = "Active"
  }
}
