# JSON counts by its meaning, so that jsonencode() never shows a difference of spelling.
resource "harvester_setting" "ntp" {
  name = "ntp-servers"
  value = jsonencode({
    ntpServers = ["0.pool.ntp.org", "1.pool.ntp.org"]
  })
}

# The value from before comes back on destroy.
resource "harvester_setting" "grace_period" {
  name       = "default-vm-termination-grace-period-seconds"
  value      = "300"
  on_destroy = "restore"
}

# Credentials that are in no plan and no state; another version sends them again.
variable "backup_keys" {
  type      = object({ id = string, secret = string })
  ephemeral = true
  default   = { id = "AKIAIOSFODNN7EXAMPLE", secret = "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY" }
}

resource "harvester_setting" "backup_target" {
  name = "backup-target"
  value_wo = jsonencode({
    type            = "s3"
    endpoint        = "https://s3.example.com"
    bucketName      = "harvester-backups"
    bucketRegion    = "eu-central-1"
    accessKeyId     = var.backup_keys.id
    secretAccessKey = var.backup_keys.secret
  })
  value_wo_version = 1
}
