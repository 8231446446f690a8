list "harvester_loadbalancer" "all" {
  provider = harvester

  include_resource = true

  config {
    namespace = "default"
  }
}
