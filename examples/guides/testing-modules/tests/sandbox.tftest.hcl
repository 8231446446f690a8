# Against a cluster, or the sandbox in its place: HARVESTER_KUBECONFIG names it.
variables {
  name       = "module-test"
  image_file = "./test.qcow2"
}

run "two_machines" {
  variables {
    replicas = 2
  }

  assert {
    condition     = harvester_image.base.state == "Active"
    error_message = "The image is not ready."
  }

  assert {
    condition     = length(output.addresses) == 2 && alltrue([for address in output.addresses : address != ""])
    error_message = "Each machine should have an address."
  }
}

run "one_is_enough" {
  assert {
    condition     = length(output.addresses) == 1
    error_message = "The second machine should be gone."
  }
}
