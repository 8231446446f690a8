resource "harvester_image" "jammy" {
  name         = "jammy"
  display_name = "ubuntu-22.04.img"
  source_type  = "download"
  url          = "https://cloud-images.ubuntu.com/jammy/current/jammy-server-cloudimg-amd64.img"
}

resource "harvester_virtualmachine" "web" {
  name        = "web"
  namespace   = "default"
  description = "Serves the web site"

  cpu          = 2
  memory       = "4Gi"
  run_strategy = "RerunOnFailure"
  hostname     = "web"
  efi          = true
  secure_boot  = true

  tags = {
    role = "web"
  }

  # The reference by id makes Terraform finish the image before it makes the machine.
  disk {
    name        = "root"
    size        = "20Gi"
    bus         = "virtio"
    boot_order  = 1
    image       = harvester_image.jammy.id
    auto_delete = true
  }

  disk {
    name        = "data"
    size        = "50Gi"
    bus         = "virtio"
    auto_delete = false
  }

  network_interface {
    name           = "default"
    type           = "masquerade"
    wait_for_lease = true
  }

  cloudinit {
    user_data = <<-EOT
      #cloud-config
      package_update: true
      packages: [qemu-guest-agent]
      runcmd:
        - systemctl enable --now qemu-guest-agent
    EOT
  }

  timeouts {
    create = "10m"
  }
}

# Two machines on two nodes of the zone, which get more CPUs and memory without a restart.
resource "harvester_virtualmachine" "database" {
  count  = 2
  name   = "database-${count.index}"
  labels = { app = "database" }

  cpu        = 2
  memory     = "4Gi"
  max_cpu    = 8
  max_memory = "16Gi"

  eviction_strategy                = "LiveMigrate"
  termination_grace_period_seconds = 300

  node_affinity {
    required {
      node_selector_term {
        match_expressions {
          key      = "topology.kubernetes.io/zone"
          operator = "In"
          values   = ["zone-a"]
        }
      }
    }
  }

  pod_anti_affinity {
    required {
      topology_key = "kubernetes.io/hostname"
      label_selector {
        match_labels = { app = "database" }
      }
    }
  }

  toleration {
    key    = "dedicated"
    value  = "database"
    effect = "NoSchedule"
  }

  disk {
    name  = "root"
    size  = "20Gi"
    image = harvester_image.jammy.id
  }

  network_interface {
    name = "default"
  }
}

output "address" {
  value = harvester_virtualmachine.web.network_interface[0].ip_address
}
