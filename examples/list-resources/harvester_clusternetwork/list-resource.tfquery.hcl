list "harvester_clusternetwork" "all" {
  provider = harvester

  include_resource = true

  config {
    labels = { team = "blue" }
  }
}
