list "harvester_volume" "all" {
  provider = harvester

  include_resource = true

  config {
    namespace = "default"
  }
}
