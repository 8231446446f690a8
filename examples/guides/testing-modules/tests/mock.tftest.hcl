# Without any cluster: values that a cluster would compute are made up.
mock_provider "harvester" {
  mock_resource "harvester_image" {
    defaults = {
      id    = "default/mock-base"
      state = "Active"
    }
  }
}

variables {
  name       = "mock"
  image_file = "./test.qcow2"
}

run "machines_use_the_image" {
  command = apply

  assert {
    condition     = alltrue([for node in harvester_virtualmachine.node : node.disk[0].image == "default/mock-base"])
    error_message = "A machine has another image."
  }
}

run "none_is_refused" {
  command = plan

  variables {
    replicas = 0
  }

  expect_failures = [var.replicas]
}
