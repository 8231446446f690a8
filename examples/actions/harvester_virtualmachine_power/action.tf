resource "terraform_data" "maintenance" {
  input = "2026-02"

  lifecycle {
    action_trigger {
      events  = [after_update]
      actions = [action.harvester_virtualmachine_power.restart]
    }
  }
}

action "harvester_virtualmachine_power" "restart" {
  config {
    virtual_machine = "default/web"
    operation       = "restart"
  }
}
