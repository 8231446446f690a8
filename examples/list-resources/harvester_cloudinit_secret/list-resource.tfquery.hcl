list "harvester_cloudinit_secret" "all" {
  provider = harvester

  include_resource = true

  config {
    namespace = "default"
  }
}
