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
  cpu                              = 1
  cpu_sockets                      = 1
  cpu_threads                      = 2
  memory                           = "1Gi"
  max_cpu                          = 4
  max_memory                       = "4Gi"
  run_strategy                     = "RerunOnFailure"
  hostname                         = "before"
  restart_after_update             = false
  eviction_strategy                = "LiveMigrate"
  termination_grace_period_seconds = 5
  ssh_keys                         = [harvester_ssh_key.key[0].id]
  description                      = "before"
  labels                           = { team = "blue" }
  tags                             = { tier = "1" }

  disk {
    name               = "root"
    type               = "disk"
    size               = "1Gi"
    bus                = "virtio"
    boot_order         = 1
    image              = harvester_image.debian.id
    storage_class_name = harvester_image.debian.volume_storage_class_name
    volume_name        = "${var.name}-root"
    volume_mode        = "Block"
    access_mode        = "ReadWriteMany"
    auto_delete        = false
    cache_mode         = "none"
  }

  disk {
    name                 = "data"
    existing_volume_name = harvester_volume.data[0].name
    bus                  = "scsi"
    hot_plug             = true
  }

  disk {
    name        = "drive"
    type        = "cd-rom"
    bus         = "sata"
    image       = harvester_image.medium[0].id
    auto_delete = true
  }

  network_interface {
    name           = "default"
    type           = "masquerade"
    model          = "virtio"
    mac_address    = "${var.mac}:01"
    boot_order     = 2
    wait_for_lease = true
  }

  cloudinit {
    user_data    = "#cloud-config\npackage_update: true\n"
    network_data = "version: 1\n"
  }
}

# These are off, with what the sandbox has no node for.
resource "harvester_virtualmachine" "pinned" {
  name                    = "${var.name}-pinned"
  start                   = false
  cpu                     = 2
  memory                  = "1Gi"
  cpu_model               = "host-passthrough"
  cpu_pinning             = true
  isolate_emulator_thread = true
  efi                     = true
  secure_boot             = true
  machine_type            = "q35"
  reserved_memory         = "128Mi"
  node_selector           = { zone = "a" }

  tpm {
    name = "before"
  }

  input {
    name = "tablet"
    type = "tablet"
    bus  = "usb"
  }

  host_device {
    name        = "before"
    device_name = "vendor.com/before"
  }

  disk {
    name                 = "root"
    container_image_name = "quay.io/containerdisks/debian:12"
    bus                  = "virtio"
  }

  network_interface {
    name         = "vlan"
    type         = "bridge"
    network_name = harvester_network.vlan[0].id
  }

  cloudinit {
    type                     = "configDrive"
    user_data_secret_name    = harvester_cloudinit_secret.seed[0].name
    network_data_secret_name = harvester_cloudinit_secret.seed[0].name
  }
}

resource "harvester_virtualmachine" "switched" {
  name                    = "${var.name}-switched"
  start                   = true
  cpu                     = 1
  memory                  = "1Gi"
  create_initial_snapshot = true
  efi                     = true

  requests {
    cpu    = "500m"
    memory = "512Mi"
  }

  disk {
    name        = "scratch"
    size        = "1Gi"
    volume_name = "${var.name}-scratch-a"
    hot_plug    = true
    auto_delete = true
  }

  disk {
    name                 = "tools"
    type                 = "disk"
    bus                  = "virtio"
    container_image_name = "quay.io/containerdisks/debian:13"
  }

  network_interface {
    name = "first"
    type = "masquerade"
  }

  cloudinit {
    user_data_base64    = base64encode("#cloud-config\npackage_update: true\n")
    network_data_base64 = base64encode("version: 1\n")
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
          key      = "zone"
          operator = "NotIn"
          values   = ["a"]
        }
        match_fields {
          key      = "metadata.name"
          operator = "In"
          values   = ["harvester-node-0"]
        }
      }
    }
    preferred {
      weight = 10
      preference {
        match_expressions {
          key      = "zone"
          operator = "NotIn"
          values   = ["a"]
        }
        match_fields {
          key      = "metadata.name"
          operator = "In"
          values   = ["harvester-node-0"]
        }
      }
    }
  }

  pod_affinity {
    required {
      topology_key = "kubernetes.io/hostname"
      namespaces   = ["default"]
      label_selector {
        match_labels = { app = "nobody-has-it" }
        match_expressions {
          key      = "app"
          operator = "In"
          values   = ["nobody-has-it"]
        }
      }
      namespace_selector {
        match_labels = { team = "nobody-has-it" }
        match_expressions {
          key      = "team"
          operator = "In"
          values   = ["nobody-has-it"]
        }
      }
    }

    preferred {
      weight = 10
      pod_affinity_term {
        topology_key = "kubernetes.io/hostname"
        namespaces   = ["default"]
        label_selector {
          match_labels = { app = "nobody-has-it" }
          match_expressions {
            key      = "app"
            operator = "In"
            values   = ["nobody-has-it"]
          }
        }
        namespace_selector {
          match_labels = { team = "nobody-has-it" }
          match_expressions {
            key      = "team"
            operator = "In"
            values   = ["nobody-has-it"]
          }
        }
      }
    }
  }

  pod_anti_affinity {
    required {
      topology_key = "kubernetes.io/hostname"
      namespaces   = ["default"]
      label_selector {
        match_labels = { app = "nobody-has-it" }
        match_expressions {
          key      = "app"
          operator = "In"
          values   = ["nobody-has-it"]
        }
      }
      namespace_selector {
        match_labels = { team = "nobody-has-it" }
        match_expressions {
          key      = "team"
          operator = "In"
          values   = ["nobody-has-it"]
        }
      }
    }

    preferred {
      weight = 10
      pod_affinity_term {
        topology_key = "kubernetes.io/hostname"
        namespaces   = ["default"]
        label_selector {
          match_labels = { app = "nobody-has-it" }
          match_expressions {
            key      = "app"
            operator = "In"
            values   = ["nobody-has-it"]
          }
        }
        namespace_selector {
          match_labels = { team = "nobody-has-it" }
          match_expressions {
            key      = "team"
            operator = "In"
            values   = ["nobody-has-it"]
          }
        }
      }
    }
  }

  toleration {
    key      = "dedicated"
    operator = "Equal"
    effect   = "NoExecute"
    value    = "web"

    toleration_seconds = 10
  }

  toleration {
    key    = "dedicated"
    value  = "web"
    effect = "NoSchedule"
  }
}
