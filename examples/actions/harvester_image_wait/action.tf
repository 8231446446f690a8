# Waited for by: terraform apply -invoke=action.harvester_image_wait.nightly
action "harvester_image_wait" "nightly" {
  config {
    image   = "default/nightly"
    timeout = "2h"
  }
}
