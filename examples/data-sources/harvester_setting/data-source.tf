# What is in force, whether it was set or is Harvester's default.
data "harvester_setting" "overcommit" {
  name = "overcommit-config"
}

output "cpu_overcommit" {
  value = nonsensitive(jsondecode(data.harvester_setting.overcommit.effective_value).cpu)
}
