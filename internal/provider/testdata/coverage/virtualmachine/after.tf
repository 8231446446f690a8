# Copyright (c) the terraform-provider-harvester authors
# SPDX-License-Identifier: MPL-2.0

variable "name" {
  type = string
}

variable "file" {
  type = string
}

variable "mac" {
  type = string
}

resource "harvester_image" "debian" {
  name         = "${var.name}-debian"
  display_name = "${var.name}-debian"
  source_type  = "upload"
  file_path    = var.file
}

resource "harvester_image" "medium" {
  count        = 2
  name         = "${var.name}-${count.index}"
  display_name = "${var.name}-${count.index}"
  source_type  = "upload"
  file_path    = var.file
}

resource "harvester_ssh_key" "key" {
  count      = 2
  name       = "${var.name}-${count.index}"
  public_key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdgBlcxUKtqHQ/0Zgsy9KFYuEPXYwmzPOXfzKdFtvDw ${count.index}"
}

resource "harvester_cloudinit_secret" "seed" {
  count        = 2
  name         = "${var.name}-${count.index}"
  user_data    = "#cloud-config\n"
  network_data = "version: 2\n"
}

resource "harvester_network" "vlan" {
  count                = 2
  name                 = "${var.name}-${count.index}"
  cluster_network_name = "mgmt"
  vlan_id              = 2121 + count.index
}

resource "harvester_volume" "data" {
  count = 2
  name  = "${var.name}-${count.index}"
}

# It runs.
resource "harvester_virtualmachine" "running" {
  name                             = "${var.name}-running"
  namespace                        = "default"
  cpu                              = 2
  cpu_sockets                      = 2
  cpu_threads                      = 1
  memory                           = "2Gi"
  max_cpu                          = 8
  max_memory                       = "8Gi"
  run_strategy                     = "Always"
  hostname                         = "after"
  restart_after_update             = true
  eviction_strategy                = "None"
  termination_grace_period_seconds = 6
  ssh_keys                         = [harvester_ssh_key.key[1].id]
  description                      = "after"
  labels                           = { team = "red" }
  tags                             = { tier = "2" }

  disk {
    name               = "root"
    type               = "disk"
    size               = "2Gi"
    bus                = "virtio"
    boot_order         = 2
    image              = harvester_image.debian.id
    storage_class_name = harvester_image.debian.volume_storage_class_name
    volume_name        = "${var.name}-root"
    volume_mode        = "Block"
    access_mode        = "ReadWriteMany"
    auto_delete        = true
    cache_mode         = "writeback"
  }

  disk {
    name                 = "data"
    existing_volume_name = harvester_volume.data[1].name
    bus                  = "scsi"
    hot_plug             = true
  }

  disk {
    name        = "drive"
    type        = "cd-rom"
    bus         = "sata"
    image       = harvester_image.medium[1].id
    auto_delete = true
  }

  network_interface {
    name           = "default"
    type           = "masquerade"
    model          = "e1000"
    mac_address    = "${var.mac}:02"
    boot_order     = 1
    wait_for_lease = false
  }

  cloudinit {
    user_data    = "#cloud-config\npackage_upgrade: true\n"
    network_data = "version: 2\n"
  }
}

# These are off, with what the sandbox has no node for.
resource "harvester_virtualmachine" "pinned" {
  name                    = "${var.name}-pinned"
  start                   = false
  cpu                     = 2
  memory                  = "1Gi"
  cpu_model               = "host-model"
  cpu_pinning             = false
  isolate_emulator_thread = false
  efi                     = true
  secure_boot             = false
  machine_type            = "pc-q35-rhel9.4.0"
  reserved_memory         = "256Mi"
  node_selector           = { zone = "b" }

  tpm {
    name = "after"
  }

  input {
    name = "pen"
    type = "tablet"
    bus  = "virtio"
  }

  host_device {
    name        = "after"
    device_name = "vendor.com/after"
  }

  disk {
    name                 = "system"
    container_image_name = "quay.io/containerdisks/debian:13"
    bus                  = "sata"
  }

  network_interface {
    name         = "vlan"
    type         = "bridge"
    network_name = harvester_network.vlan[1].id
  }

  cloudinit {
    type                     = "noCloud"
    user_data_secret_name    = harvester_cloudinit_secret.seed[1].name
    network_data_secret_name = harvester_cloudinit_secret.seed[1].name
  }
}

resource "harvester_virtualmachine" "switched" {
  name                    = "${var.name}-switched"
  start                   = false
  cpu                     = 1
  memory                  = "1Gi"
  create_initial_snapshot = false
  efi                     = false

  requests {
    cpu    = "250m"
    memory = "256Mi"
  }

  disk {
    name        = "scratch"
    size        = "1Gi"
    volume_name = "${var.name}-scratch-b"
    hot_plug    = false
    auto_delete = true
  }

  disk {
    name                 = "tools"
    type                 = "cd-rom"
    bus                  = "sata"
    container_image_name = "quay.io/containerdisks/debian:13"
  }

  network_interface {
    name = "other"
    type = "bridge"
  }

  cloudinit {
    user_data_base64    = base64encode("#cloud-config\npackage_upgrade: true\n")
    network_data_base64 = base64encode("version: 2\n")
  }
}

# Where it runs.
resource "harvester_virtualmachine" "placed" {
  name         = "${var.name}-placed"
  run_strategy = "Halted"

  disk {
    name                 = "root"
    container_image_name = "quay.io/containerdisks/debian:13"
  }

  network_interface {
    name = "default"
  }

  node_affinity {
    required {
      node_selector_term {
        match_expressions {
          key      = "rack"
          operator = "In"
          values   = ["b"]
        }
        match_fields {
          key      = "metadata.name"
          operator = "NotIn"
          values   = ["harvester-node-1"]
        }
      }
    }
    preferred {
      weight = 20
      preference {
        match_expressions {
          key      = "rack"
          operator = "In"
          values   = ["b"]
        }
        match_fields {
          key      = "metadata.name"
          operator = "NotIn"
          values   = ["harvester-node-1"]
        }
      }
    }
  }

  pod_affinity {
    required {
      topology_key = "topology.kubernetes.io/zone"
      namespaces   = ["kube-system"]
      label_selector {
        match_labels = { app = "nothing-has-it" }
        match_expressions {
          key      = "role"
          operator = "NotIn"
          values   = ["nothing-has-it"]
        }
      }
      namespace_selector {
        match_labels = { team = "nothing-has-it" }
        match_expressions {
          key      = "tier"
          operator = "NotIn"
          values   = ["nothing-has-it"]
        }
      }
    }

    preferred {
      weight = 20
      pod_affinity_term {
        topology_key = "topology.kubernetes.io/zone"
        namespaces   = ["kube-system"]
        label_selector {
          match_labels = { app = "nothing-has-it" }
          match_expressions {
            key      = "role"
            operator = "NotIn"
            values   = ["nothing-has-it"]
          }
        }
        namespace_selector {
          match_labels = { team = "nothing-has-it" }
          match_expressions {
            key      = "tier"
            operator = "NotIn"
            values   = ["nothing-has-it"]
          }
        }
      }
    }
  }

  pod_anti_affinity {
    required {
      topology_key = "topology.kubernetes.io/zone"
      namespaces   = ["kube-system"]
      label_selector {
        match_labels = { app = "nothing-has-it" }
        match_expressions {
          key      = "role"
          operator = "NotIn"
          values   = ["nothing-has-it"]
        }
      }
      namespace_selector {
        match_labels = { team = "nothing-has-it" }
        match_expressions {
          key      = "tier"
          operator = "NotIn"
          values   = ["nothing-has-it"]
        }
      }
    }

    preferred {
      weight = 20
      pod_affinity_term {
        topology_key = "topology.kubernetes.io/zone"
        namespaces   = ["kube-system"]
        label_selector {
          match_labels = { app = "nothing-has-it" }
          match_expressions {
            key      = "role"
            operator = "NotIn"
            values   = ["nothing-has-it"]
          }
        }
        namespace_selector {
          match_labels = { team = "nothing-has-it" }
          match_expressions {
            key      = "tier"
            operator = "NotIn"
            values   = ["nothing-has-it"]
          }
        }
      }
    }
  }

  toleration {
    key      = "reserved"
    operator = "Exists"
    effect   = "NoExecute"

    toleration_seconds = 20
  }

  toleration {
    key    = "reserved"
    value  = "db"
    effect = "PreferNoSchedule"
  }
}
