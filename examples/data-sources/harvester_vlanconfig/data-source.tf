data "harvester_vlanconfig" "uplink" {
  name = "workload-uplink"
}

output "nodes" {
  value = data.harvester_vlanconfig.uplink.matched_nodes
}
