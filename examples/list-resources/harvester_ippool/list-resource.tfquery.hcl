list "harvester_ippool" "all" {
  provider = harvester

  include_resource = true

  config {
    labels = { team = "blue" }
  }
}
