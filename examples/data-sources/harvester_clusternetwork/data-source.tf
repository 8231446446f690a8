# The management network, which every cluster has.
data "harvester_clusternetwork" "mgmt" {
  name = "mgmt"
}
