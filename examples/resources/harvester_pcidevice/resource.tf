# The graphics card of a node, and its audio function, which is in the same IOMMU group.
resource "harvester_pcidevice" "gpu" {
  name                = "harvester-node-0-000001000"
  passthrough_enabled = true
}

resource "harvester_pcidevice" "gpu_audio" {
  name                = "harvester-node-0-000001001"
  passthrough_enabled = true
}

# The name of a host_device is that of the PCI device, so that Harvester knows which one is meant.
output "host_device" {
  value = {
    name        = harvester_pcidevice.gpu.name
    device_name = harvester_pcidevice.gpu.resource_name
  }
}
