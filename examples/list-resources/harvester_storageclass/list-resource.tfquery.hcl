list "harvester_storageclass" "all" {
  provider = harvester

  include_resource = true

  config {
    labels = { team = "blue" }
  }
}
