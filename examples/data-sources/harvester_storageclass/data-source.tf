# The storage class that Harvester comes with.
data "harvester_storageclass" "built_in" {
  name = "harvester-longhorn"
}

resource "harvester_volume" "data" {
  name               = "data"
  size               = "10Gi"
  storage_class_name = data.harvester_storageclass.built_in.name
}
