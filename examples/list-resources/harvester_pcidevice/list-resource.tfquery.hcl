list "harvester_pcidevice" "all" {
  provider = harvester

  include_resource = true

  config {
    labels = { team = "blue" }
  }
}
