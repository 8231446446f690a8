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

output "address" {
  value = harvester_virtualmachine.web.network_interface[0].ip_address
}
