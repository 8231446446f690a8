import {
  to = harvester_setting.ntp
  identity = {
    name = "ntp-servers"
  }
}
