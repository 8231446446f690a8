# Three replicas on fast disks, for machines that can migrate.
resource "harvester_storageclass" "ssd" {
  name        = "ssd-replicas-3"
  description = "Three replicas on SSD or NVMe"

  parameters = {
    migratable          = "true"
    numberOfReplicas    = "3"
    staleReplicaTimeout = "30"
    diskSelector        = "ssd,nvme"
  }
}

# A class for encryption. What its secret holds stands in the guide "Encrypted images".
locals {
  secret = {
    name      = "image-encryption"
    namespace = "default"
  }
}

resource "harvester_storageclass" "encrypted" {
  name = "encrypted"

  parameters = {
    migratable          = "true"
    numberOfReplicas    = "3"
    staleReplicaTimeout = "30"
    encrypted           = "true"

    "csi.storage.k8s.io/provisioner-secret-name"       = local.secret.name
    "csi.storage.k8s.io/provisioner-secret-namespace"  = local.secret.namespace
    "csi.storage.k8s.io/node-stage-secret-name"        = local.secret.name
    "csi.storage.k8s.io/node-stage-secret-namespace"   = local.secret.namespace
    "csi.storage.k8s.io/node-publish-secret-name"      = local.secret.name
    "csi.storage.k8s.io/node-publish-secret-namespace" = local.secret.namespace
  }
}
