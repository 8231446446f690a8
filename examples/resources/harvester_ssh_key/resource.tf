resource "harvester_ssh_key" "ops" {
  name       = "ops"
  namespace  = "default"
  public_key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHHnG2Z2f9WjDhCoCWXgi8CIa8Lz8QSQ8SJcVBrR1Jd2 ops@example.com"

  tags = {
    team = "ops"
  }
}
