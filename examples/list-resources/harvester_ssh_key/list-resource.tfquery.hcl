list "harvester_ssh_key" "all" {
  provider = harvester

  include_resource = true

  config {
    namespace = "default"
  }
}
