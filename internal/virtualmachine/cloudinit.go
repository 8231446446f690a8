// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package virtualmachine

import (
	"encoding/base64"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	kubevirtv1 "kubevirt.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

// maxInline is how much data KubeVirt takes inside a machine, in bytes. More must
// come from a Secret.
const maxInline = 2048

// Keys of a Secret with cloud-init data.
const (
	keyUserData    = "userdata"
	keyNetworkData = "networkdata"
)

// seed is the cloud-init data a machine is to have. Its zero value means none.
type seed struct {
	kind              string
	userData          string
	userDataBase64    string
	userDataSecret    string
	networkData       string
	networkDataBase64 string
	networkDataSecret string
}

// seedOf is what the block says, without keys.
func seedOf(block *cloudInit) seed {
	if block == nil {
		return seed{}
	}
	return seed{
		kind:              block.Type.ValueString(),
		userData:          block.UserData.ValueString(),
		userDataBase64:    block.UserDataBase64.ValueString(),
		userDataSecret:    block.UserDataSecretName.ValueString(),
		networkData:       block.NetworkData.ValueString(),
		networkDataBase64: block.NetworkDataBase64.ValueString(),
		networkDataSecret: block.NetworkDataSecretName.ValueString(),
	}
}

// takesKeys says that user and keys can be added to the user data.
func (s seed) takesKeys() bool {
	return s.kind != "" && s.userDataBase64 == "" && s.userDataSecret == ""
}

// injectable says that the user data can be added to as YAML. Scripts and
// archives cannot.
func injectable(userData string) bool {
	trimmed := strings.TrimSpace(userData)
	if trimmed == "" || strings.HasPrefix(trimmed, "#cloud-config") {
		return true
	}
	var mapping map[string]any
	return !strings.HasPrefix(trimmed, "#!") && yaml.Unmarshal([]byte(trimmed), &mapping) == nil
}

const cloudConfigHeader = "#cloud-config\n"

// withLogin adds a user and SSH keys to user data, each unless there is one already.
func withLogin(userData, user string, keys []string) string {
	if user != "" && !hasLine(userData, "user: ") {
		userData = joined(userData, "user: "+user+"\n")
	}
	if len(keys) > 0 && !hasLine(userData, "ssh_authorized_keys:") {
		userData = joined(userData, "ssh_authorized_keys:\n  - "+strings.Join(keys, "\n  - "))
	}
	return userData
}

func joined(userData, addition string) string {
	if userData == "" {
		return cloudConfigHeader + addition
	}
	return userData + "\n" + addition
}

func hasLine(text, prefix string) bool {
	return slices.ContainsFunc(strings.Split(text, "\n"), func(line string) bool { return strings.HasPrefix(line, prefix) })
}

var addition = regexp.MustCompile(`^(\nuser: [^\n]*\n)?(\nssh_authorized_keys:(\n  - [^\n]*)+)?$`)

// addedTo says that the live user data are those configured, with nothing but a user
// and keys added by withLogin.
func addedTo(configured, live string) bool {
	rest, found := strings.CutPrefix(live, configured)
	if configured == "" && live != "" {
		rest, found = strings.CutPrefix(live, cloudConfigHeader)
		rest = "\n" + rest
	}
	return found && addition.MatchString(rest)
}

// content is the user data in plain text, "" if they are in a Secret.
func (s seed) content() string {
	if s.userDataBase64 == "" {
		return s.userData
	}
	decoded, _ := base64.StdEncoding.DecodeString(s.userDataBase64) // validated
	return string(decoded)
}

func (s seed) networkContent() string {
	if s.networkDataBase64 == "" {
		return s.networkData
	}
	decoded, _ := base64.StdEncoding.DecodeString(s.networkDataBase64) // validated
	return string(decoded)
}

// offload moves data that are too long for a machine into a Secret of that
// name, and returns what the Secret must hold; nil if it is not needed.
func (s *seed) offload(secret string) map[string][]byte {
	data := map[string][]byte{}
	if user := s.content(); len(user) > maxInline {
		data[keyUserData] = []byte(user)
		s.userData, s.userDataBase64, s.userDataSecret = "", "", secret
	}
	if network := s.networkContent(); len(network) > maxInline {
		data[keyNetworkData] = []byte(network)
		s.networkData, s.networkDataBase64, s.networkDataSecret = "", "", secret
	}
	if len(data) == 0 {
		return nil
	}
	return data
}

// onto puts the data into the cloud-init disk of the machine, or removes it.
func (s seed) onto(spec *kubevirtv1.VirtualMachineInstanceSpec) {
	name := cloudInitDisk
	live := seedVolume(spec)
	if live != nil {
		name = live.Name
	}
	isSeed := func(n string) bool { return live != nil && n == name }
	var disks []kubevirtv1.Disk
	var volumes []kubevirtv1.Volume
	if s.kind != "" {
		volumes = append(volumes, kubevirtv1.Volume{Name: name, VolumeSource: s.source()})
		disks = append(disks, s.device(name, spec, live))
	}
	spec.Domain.Devices.Disks = arrange(spec.Domain.Devices.Disks, disks, diskName, isSeed)
	spec.Volumes = arrange(spec.Volumes, volumes, volumeName, isSeed)
}

// device keeps the live disk as long as the kind of data stays the same.
func (s seed) device(name string, spec *kubevirtv1.VirtualMachineInstanceSpec, live *kubevirtv1.Volume) kubevirtv1.Disk {
	if live != nil && readSeed(live).kind == s.kind {
		for _, d := range spec.Domain.Devices.Disks {
			if d.Name == name {
				return d
			}
		}
	}
	if s.kind == typeConfigDrive {
		return kubevirtv1.Disk{Name: name, DiskDevice: kubevirtv1.DiskDevice{CDRom: &kubevirtv1.CDRomTarget{Bus: busSATA}}}
	}
	return kubevirtv1.Disk{Name: name, DiskDevice: kubevirtv1.DiskDevice{Disk: &kubevirtv1.DiskTarget{Bus: busVirtio}}}
}

func (s seed) source() kubevirtv1.VolumeSource {
	if s.kind == typeConfigDrive {
		return kubevirtv1.VolumeSource{CloudInitConfigDrive: &kubevirtv1.CloudInitConfigDriveSource{
			UserData: s.userData, UserDataBase64: s.userDataBase64, UserDataSecretRef: secretReference(s.userDataSecret),
			NetworkData: s.networkData, NetworkDataBase64: s.networkDataBase64, NetworkDataSecretRef: secretReference(s.networkDataSecret),
		}}
	}
	return kubevirtv1.VolumeSource{CloudInitNoCloud: &kubevirtv1.CloudInitNoCloudSource{
		UserData: s.userData, UserDataBase64: s.userDataBase64, UserDataSecretRef: secretReference(s.userDataSecret),
		NetworkData: s.networkData, NetworkDataBase64: s.networkDataBase64, NetworkDataSecretRef: secretReference(s.networkDataSecret),
	}}
}

func secretReference(name string) *corev1.LocalObjectReference {
	if name == "" {
		return nil
	}
	return &corev1.LocalObjectReference{Name: name}
}

func secretName(reference *corev1.LocalObjectReference) string {
	if reference == nil {
		return ""
	}
	return reference.Name
}

// seedVolume finds the volume with cloud-init data, nil if there is none.
func seedVolume(spec *kubevirtv1.VirtualMachineInstanceSpec) *kubevirtv1.Volume {
	for i := range spec.Volumes {
		if readSeed(&spec.Volumes[i]).kind != "" {
			return &spec.Volumes[i]
		}
	}
	return nil
}

// readSeed is the cloud-init data of a volume; of kind "" if it holds none.
func readSeed(volume *kubevirtv1.Volume) seed {
	switch {
	case volume.CloudInitNoCloud != nil:
		source := volume.CloudInitNoCloud
		return seed{
			typeNoCloud,
			source.UserData, source.UserDataBase64, secretName(source.UserDataSecretRef),
			source.NetworkData, source.NetworkDataBase64, secretName(source.NetworkDataSecretRef),
		}
	case volume.CloudInitConfigDrive != nil:
		source := volume.CloudInitConfigDrive
		return seed{
			typeConfigDrive,
			source.UserData, source.UserDataBase64, secretName(source.UserDataSecretRef),
			source.NetworkData, source.NetworkDataBase64, secretName(source.NetworkDataSecretRef),
		}
	}
	return seed{}
}

// ownSecret says that this provider made the Secret of that name for the
// machine, to hold data that are too long.
func ownSecret(vmName, secret string) bool { return strings.HasPrefix(secret, ownSecretPrefix(vmName)) }

func ownSecretPrefix(vmName string) string { return vmName + "-cloudinit-" }
