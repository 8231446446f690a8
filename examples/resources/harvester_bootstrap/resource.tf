# A provider for the first contact alone, when there are no credentials yet.
provider "harvester" {
  alias     = "bootstrap"
  bootstrap = true
}

variable "admin_password" {
  type      = string
  sensitive = true
  default   = "correct-horse-battery-staple"
}

resource "harvester_bootstrap" "this" {
  provider = harvester.bootstrap

  api_url    = "https://192.0.2.10"
  password   = var.admin_password
  kubeconfig = "${path.module}/kubeconfig.yaml"
}

# All else goes to the cluster with the kubeconfig that came out of it, in the same run or another.
provider "harvester" {
  kubeconfig = harvester_bootstrap.this.kubeconfig_content
}
