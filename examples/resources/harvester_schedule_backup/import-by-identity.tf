import {
  to = harvester_schedule_backup.nightly
  identity = {
    namespace = "default"
    name      = "db-nightly"
  }
}
