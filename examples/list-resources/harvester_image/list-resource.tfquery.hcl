list "harvester_image" "all" {
  provider = harvester

  include_resource = true

  config {
    namespace = "default"
    state     = "Active"
  }
}
