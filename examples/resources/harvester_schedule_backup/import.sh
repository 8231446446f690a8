# By namespace, virtual machine and name.
terraform import harvester_schedule_backup.nightly default/db/db-nightly
