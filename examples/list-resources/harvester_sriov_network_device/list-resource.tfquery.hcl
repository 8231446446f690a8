list "harvester_sriov_network_device" "all" {
  provider = harvester

  include_resource = true

  config {
    labels = { team = "blue" }
  }
}
