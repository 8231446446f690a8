# Taken by: terraform apply -invoke=action.harvester_virtualmachine_snapshot.before_upgrade
action "harvester_virtualmachine_snapshot" "before_upgrade" {
  config {
    virtual_machine = "default/web"
    timeout         = "30m"
  }
}
