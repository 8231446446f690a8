data "harvester_pcidevice" "gpu" {
  name = "harvester-node-0-000001000"
}

output "goes_with" {
  value = data.harvester_pcidevice.gpu.iommu_group_devices
}
