# A volume that someone else keeps.
data "harvester_volume" "data" {
  name      = "data"
  namespace = "default"
}

output "data" {
  value = "${data.harvester_volume.data.size}, attached to ${coalesce(data.harvester_volume.data.attached_vm, "no machine")}"
}
