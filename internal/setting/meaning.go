// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package setting

import (
	"encoding/json"
	"maps"
	"net/url"
	"reflect"
	"slices"
	"strings"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/objects"
	"github.com/harvester-community/terraform-provider-harvester/internal/redact"
)

const settingRegistry = "containerd-registry"

// same says that two values of a setting mean the same: as text or as JSON, whatever the spelling.
func same(name, a, b string) bool {
	return a == b || reflect.DeepEqual(meaning(name, a), meaning(name, b))
}

// sameAsStored is same for what the server has stored: it takes the credentials of some settings out once it has used
// them, which is no difference.
func sameAsStored(name, value, stored string) bool {
	return same(name, value, stored) || withholds(name, stored) && reflect.DeepEqual(withoutCredentials(name, value), withoutCredentials(name, stored))
}

// withholds says that the server may have taken credentials out of what it has stored.
func withholds(name, stored string) bool {
	return reflect.DeepEqual(meaning(name, stored), withoutCredentials(name, stored)) && (name == api.SettingBackupTarget || name == settingRegistry)
}

// fingerprint tells a value from others without telling it, and without the credentials that the server takes out.
func fingerprint(name, value string) string {
	return objects.Fingerprint(withoutCredentials(name, value))
}

// meaning is a value as far as its spelling does not matter: what is no JSON is itself.
func meaning(name, value string) any {
	var decoded any
	if !of(name).json || json.Unmarshal([]byte(value), &decoded) != nil {
		return value
	}
	if name == settingRegistry {
		decoded = folded(decoded)
	}
	if of(name).zero {
		decoded = pruned(decoded)
	}
	if object, ok := decoded.(map[string]any); ok {
		sortMember(object, "exclude")
		if network, ok := object["network"].(map[string]any); ok { // of rwx-network
			sortMember(network, "exclude")
		}
	}
	return decoded
}

// pruned leaves out the members that have a zero value.
func pruned(value any) any {
	switch value := value.(type) {
	case map[string]any:
		for key, member := range value {
			if value[key] = pruned(member); zero(value[key]) {
				delete(value, key)
			}
		}
	case []any:
		for i := range value {
			value[i] = pruned(value[i])
		}
	}
	return value
}

func zero(value any) bool {
	switch value := value.(type) {
	case map[string]any:
		return len(value) == 0
	case []any:
		return len(value) == 0
	case nil:
		return true
	}
	return reflect.ValueOf(value).IsZero()
}

// folded has all keys in lower case, as containerd's host names and Harvester's reading of JSON do not distinguish.
func folded(value any) any {
	switch value := value.(type) {
	case map[string]any:
		lower := make(map[string]any, len(value))
		for _, key := range slices.Sorted(maps.Keys(value)) {
			lower[strings.ToLower(key)] = folded(value[key])
		}
		return lower
	case []any:
		for i := range value {
			value[i] = folded(value[i])
		}
	}
	return value
}

// sortMember sorts a list of strings whose order means nothing.
func sortMember(object map[string]any, key string) {
	list, _ := object[key].([]any)
	slices.SortFunc(list, func(a, b any) int {
		x, _ := a.(string)
		y, _ := b.(string)
		return strings.Compare(x, y)
	})
}

// withoutCredentials is the meaning of a value after the server has taken out what it does not show again
// (H:pkg/controller/master/backup/backup_target.go, pkg/controller/master/setting/containerd_registry.go).
func withoutCredentials(name, value string) any {
	decoded := meaning(name, value)
	object, ok := decoded.(map[string]any)
	switch {
	case !ok:
	case name == api.SettingBackupTarget:
		delete(object, "accessKeyId")
		delete(object, "secretAccessKey")
	case name == settingRegistry:
		configs, _ := object["configs"].(map[string]any)
		for _, config := range configs {
			if config, ok := config.(map[string]any); ok {
				delete(config, "auth")
			}
		}
		return pruned(object)
	}
	return decoded
}

// confidential are the keys, in lower case, of what must not be shown.
var confidential = []string{"accesskeyid", "secretaccesskey", "privatekey", "password", "auth", "identitytoken", "url"}

// shortest is how many bytes a secret has at least that is looked for in a text.
const shortest = 3

// shown is a text of the server about a setting, without the secrets that its values hold.
func shown(name, text string, values ...string) string {
	text = redact.Text(text)
	if !of(name).secret {
		return text
	}
	var secrets []string
	for _, value := range values {
		secrets = append(secrets, secretsIn(value)...)
	}
	slices.SortFunc(secrets, func(a, b string) int { return len(b) - len(a) })
	for _, secret := range secrets {
		if len(secret) < shortest {
			continue
		}
		text = strings.ReplaceAll(text, secret, "***")
	}
	return text
}

// secretsIn are the secrets of a value: those of its members that are known as such, or all of it if it is no JSON.
func secretsIn(value string) (secrets []string) {
	var decoded any
	if value == "" {
		return nil
	}
	if json.Unmarshal([]byte(value), &decoded) != nil {
		return []string{value}
	}
	var walk func(key string, value any)
	walk = func(key string, value any) {
		switch value := value.(type) {
		case map[string]any:
			for key, member := range value {
				walk(key, member)
			}
		case []any:
			for _, member := range value {
				walk(key, member)
			}
		case string:
			if address, err := url.Parse(value); err == nil && address.User != nil {
				if password, set := address.User.Password(); set && password != "" {
					secrets = append(secrets, password)
				}
			}
			if value != "" && slices.Contains(confidential, strings.ToLower(key)) {
				secrets = append(secrets, value)
			}
		}
	}
	walk("", decoded)
	return secrets
}
