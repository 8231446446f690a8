# Virtual machines name it in cloudinit { user_data_secret_name = ... }.
resource "harvester_cloudinit_secret" "web" {
  name      = "web"
  namespace = "default"

  user_data = <<-EOT
    #cloud-config
    package_update: true
    packages:
      - qemu-guest-agent
    runcmd:
      - [systemctl, enable, --now, qemu-guest-agent]
  EOT

  network_data = <<-EOT
    version: 2
    ethernets:
      enp1s0:
        dhcp4: true
  EOT
}

# Write-only: the token is neither in the plan nor in the state. Another version sends it again.
variable "join_token" {
  type      = string
  ephemeral = true
  default   = null
}

resource "harvester_cloudinit_secret" "node" {
  name = "node"

  user_data_wo = <<-EOT
    #cloud-config
    write_files:
      - path: /etc/rancher/rke2/config.yaml
        permissions: "0600"
        content: |
          token: ${coalesce(var.join_token, "changeme")}
  EOT

  user_data_wo_version = 1
}
