list "harvester_vlanconfig" "all" {
  provider = harvester

  include_resource = true

  config {
    labels = { team = "blue" }
  }
}
