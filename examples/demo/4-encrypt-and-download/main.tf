terraform {
  required_providers {
    harvester = {
      source = "harvester-community/harvester"
    }
  }
}

# The cluster comes from HARVESTER_KUBECONFIG.
provider "harvester" {}

variable "file" {
  description = "A local image: qcow2, raw or ISO."
  type        = string
}

variable "copy" {
  description = "Where the downloaded copy goes."
  type        = string
}

resource "harvester_image" "plain" {
  name         = "plain"
  display_name = "plain.img"
  source_type  = "upload"
  file_path    = var.file
}

# The key lies in a Secret of the cluster, which is there already.
locals {
  secret = {
    for use in ["provisioner", "node-stage", "node-publish"] :
    "csi.storage.k8s.io/${use}-secret" => { name = "image-key", namespace = "default" }
  }
}

resource "harvester_storageclass" "encrypted" {
  name = "encrypted"
  parameters = merge(
    {
      encrypted           = "true"
      migratable          = "true"
      numberOfReplicas    = "1"
      staleReplicaTimeout = "30"
    },
    { for use, secret in local.secret : "${use}-name" => secret.name },
    { for use, secret in local.secret : "${use}-namespace" => secret.namespace },
  )
}

resource "harvester_encrypted_image" "sealed" {
  name               = "sealed"
  display_name       = "sealed.img"
  source_image       = harvester_image.plain.id
  storage_class_name = harvester_storageclass.encrypted.name
}

resource "harvester_decrypted_image" "opened" {
  name         = "opened"
  display_name = "opened.img"
  source_image = harvester_encrypted_image.sealed.id
}

resource "harvester_image_download" "copy" {
  image    = harvester_decrypted_image.opened.id
  filename = var.copy
}

output "sha512" {
  value = harvester_image_download.copy.sha512
}
