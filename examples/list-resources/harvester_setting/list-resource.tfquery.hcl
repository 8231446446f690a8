list "harvester_setting" "all" {
  provider = harvester

  include_resource = true

  config {
    labels = { team = "blue" }
  }
}
