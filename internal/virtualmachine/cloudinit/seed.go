// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package cloudinit

import (
	"encoding/base64"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kubevirtv1 "kubevirt.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

// maxInline is how much data KubeVirt takes inside a machine, in bytes. More must
// come from a Secret.
const maxInline = 2048

// Keys of a Secret with cloud-init data.
const (
	KeyUserData    = "userdata"
	KeyNetworkData = "networkdata"
)

// Seed is the cloud-init data a machine is to have. Its zero value means none.
type Seed struct {
	Kind              string
	UserData          string
	UserDataBase64    string
	UserDataSecret    string
	NetworkData       string
	NetworkDataBase64 string
	NetworkDataSecret string
}

// SeedOf is what the block says, without keys.
func SeedOf(block *Model) Seed {
	if block == nil {
		return Seed{}
	}
	return Seed{
		Kind:              block.Type.ValueString(),
		UserData:          block.UserData.ValueString(),
		UserDataBase64:    block.UserDataBase64.ValueString(),
		UserDataSecret:    block.UserDataSecretName.ValueString(),
		NetworkData:       block.NetworkData.ValueString(),
		NetworkDataBase64: block.NetworkDataBase64.ValueString(),
		NetworkDataSecret: block.NetworkDataSecretName.ValueString(),
	}
}

// TakesKeys says that user and keys can be added to the user data.
func (s Seed) TakesKeys() bool {
	return s.Kind != "" && s.UserDataBase64 == "" && s.UserDataSecret == ""
}

// Injectable says that the user data can be added to as YAML. Scripts and
// archives cannot.
func Injectable(userData string) bool {
	trimmed := strings.TrimSpace(userData)
	if trimmed == "" || strings.HasPrefix(trimmed, "#cloud-config") {
		return true
	}
	var mapping map[string]any
	return !strings.HasPrefix(trimmed, "#!") && yaml.Unmarshal([]byte(trimmed), &mapping) == nil
}

const cloudConfigHeader = "#cloud-config\n"

// WithLogin adds a user and SSH keys to user data, each unless there is one already.
func WithLogin(userData, user string, keys []string) string {
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

// Content is the user data in plain text, "" if they are in a Secret.
func (s Seed) Content() string {
	if s.UserDataBase64 == "" {
		return s.UserData
	}
	decoded, _ := base64.StdEncoding.DecodeString(s.UserDataBase64) // validated
	return string(decoded)
}

func (s Seed) networkContent() string {
	if s.NetworkDataBase64 == "" {
		return s.NetworkData
	}
	decoded, _ := base64.StdEncoding.DecodeString(s.NetworkDataBase64) // validated
	return string(decoded)
}

// Offload moves data that are too long for a machine into a Secret of that
// name, and returns what the Secret must hold; nil if it is not needed.
func (s *Seed) Offload(secret string) map[string][]byte {
	data := map[string][]byte{}
	if user := s.Content(); len(user) > maxInline {
		data[KeyUserData] = []byte(user)
		s.UserData, s.UserDataBase64, s.UserDataSecret = "", "", secret
	}
	if network := s.networkContent(); len(network) > maxInline {
		data[KeyNetworkData] = []byte(network)
		s.NetworkData, s.NetworkDataBase64, s.NetworkDataSecret = "", "", secret
	}
	if len(data) == 0 {
		return nil
	}
	return data
}

// SecretPrefix begins the name of a Secret that this provider makes for a machine. The name
// alone says nothing about whose a Secret is: see Owns.
func SecretPrefix(vmName string) string { return vmName + "-cloudinit-" }

// Owns says that a Secret belongs to the machine: it refers to the machine as its owner, and
// goes with it. Only such a Secret holds the machine's own data, and only such a one may be
// written to.
func Owns(vm *kubevirtv1.VirtualMachine, secret *corev1.Secret) bool {
	return secret != nil && vm.UID != "" && slices.ContainsFunc(secret.OwnerReferences, func(owner metav1.OwnerReference) bool {
		return owner.Kind == kubevirtv1.VirtualMachineGroupVersionKind.Kind && owner.UID == vm.UID
	})
}

// SecretsOf names the Secrets that a machine takes cloud-init data from.
func SecretsOf(vm *kubevirtv1.VirtualMachine) []string {
	var names []string
	if vm.Spec.Template == nil {
		return nil
	}
	if volume := Volume(&vm.Spec.Template.Spec); volume != nil {
		live := Read(volume)
		names = []string{live.UserDataSecret, live.NetworkDataSecret}
	}
	names = slices.DeleteFunc(names, func(name string) bool { return name == "" })
	return slices.Compact(names)
}
