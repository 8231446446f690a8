terraform {
  required_providers {
    harvester = {
      source = "harvester-community/harvester"
    }
  }
}

# The image as it is.
resource "harvester_image" "trixie" {
  name         = "trixie"
  display_name = "debian-13.qcow2"
  source_type  = "upload"
  file_path    = "${path.module}/debian-13-genericcloud-amd64.qcow2"
}

# The storage class says that its volumes are encrypted, and with which secret: the same one in all six places.
locals {
  key = { name = "image-key", namespace = "default" }
}

resource "harvester_storageclass" "encrypted" {
  name = "encrypted"

  parameters = {
    encrypted           = "true"
    migratable          = "true"
    numberOfReplicas    = "3"
    staleReplicaTimeout = "30"

    "csi.storage.k8s.io/provisioner-secret-name"       = local.key.name
    "csi.storage.k8s.io/provisioner-secret-namespace"  = local.key.namespace
    "csi.storage.k8s.io/node-stage-secret-name"        = local.key.name
    "csi.storage.k8s.io/node-stage-secret-namespace"   = local.key.namespace
    "csi.storage.k8s.io/node-publish-secret-name"      = local.key.name
    "csi.storage.k8s.io/node-publish-secret-namespace" = local.key.namespace
  }
}

resource "harvester_encrypted_image" "trixie" {
  name               = "trixie-encrypted"
  display_name       = "debian-13-encrypted.qcow2"
  source_image       = harvester_image.trixie.id
  storage_class_name = harvester_storageclass.encrypted.name
}

# The machine's disk is made from the encrypted image, and is encrypted too.
resource "harvester_virtualmachine" "vault" {
  name   = "vault"
  cpu    = 2
  memory = "4Gi"

  disk {
    name        = "root"
    size        = "20Gi"
    boot_order  = 1
    image       = harvester_encrypted_image.trixie.id
    auto_delete = true
  }

  network_interface {
    name = "default"
  }
}
