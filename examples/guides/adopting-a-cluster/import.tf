terraform {
  required_providers {
    harvester = {
      source = "harvester-community/harvester"
    }
  }
}

import {
  to = harvester_image.debian
  id = "default/debian"
}

import {
  to = harvester_ssh_key.team
  id = "default/team"
}

import {
  to = harvester_volume.data
  id = "default/data"
}
