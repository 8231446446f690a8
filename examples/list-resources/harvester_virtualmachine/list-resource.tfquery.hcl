list "harvester_virtualmachine" "all" {
  provider = harvester

  include_resource = true

  config {
    namespace = "default"
  }
}
