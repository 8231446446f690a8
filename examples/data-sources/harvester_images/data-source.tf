# The newest Debian image that is ready, by the date in its display name.
data "harvester_images" "debian" {
  namespace          = "default"
  state              = "Active"
  display_name_regex = "^debian-13-[0-9]{8}"
}

output "debian" {
  value = try(reverse(sort(data.harvester_images.debian.images[*].display_name))[0], "none yet")
}
