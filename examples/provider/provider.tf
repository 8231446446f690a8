terraform {
  required_providers {
    harvester = {
      source = "harvester-community/harvester"
    }
  }
}

provider "harvester" {
  kubeconfig = "~/.kube/harvester.yaml"
}
