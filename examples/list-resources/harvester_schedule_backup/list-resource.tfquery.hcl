list "harvester_schedule_backup" "all" {
  provider = harvester

  include_resource = true

  config {
    namespace = "default"
  }
}
