list "harvester_network" "all" {
  provider = harvester

  include_resource = true

  config {
    namespace = "default"
  }
}
