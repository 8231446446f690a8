# By name.
terraform import harvester_setting.ntp ntp-servers
