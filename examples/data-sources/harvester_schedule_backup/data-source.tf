data "harvester_schedule_backup" "nightly" {
  name = "files-nightly"
}

output "failed_backups" {
  value = [for backup in data.harvester_schedule_backup.nightly.backups : backup.name if backup.error != ""]
}
