# A key that someone made in the dashboard.
data "harvester_ssh_key" "ops" {
  name      = "ops"
  namespace = "default"
}

# Its text goes into user data that the machine does not hold itself.
resource "harvester_cloudinit_secret" "web" {
  name = "web"

  user_data = <<-EOT
    #cloud-config
    ssh_authorized_keys:
      - ${data.harvester_ssh_key.ops.public_key}
  EOT
}
