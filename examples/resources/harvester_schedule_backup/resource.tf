resource "harvester_setting" "backup_target" {
  name = "backup-target"
  value = jsonencode({
    type     = "nfs"
    endpoint = "nfs://nas.example.com:/backups"
  })
}

# Every night at 2:15 UTC; the last two weeks are kept.
resource "harvester_schedule_backup" "nightly" {
  name     = "db-nightly"
  vm_name  = "default/db"
  schedule = "15 2 * * *"
  retain   = 14

  depends_on = [harvester_setting.backup_target]
}

# Snapshots stay in the cluster and need no backup target.
resource "harvester_schedule_backup" "snapshots" {
  name     = "web-snapshots"
  vm_name  = "web"
  type     = "snapshot"
  schedule = "45 */6 * * *"
}
