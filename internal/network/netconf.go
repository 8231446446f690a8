// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package network

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"strings"
)

// bridgeSuffix follows the name of the cluster network in that of its bridge.
const bridgeSuffix = "-br"

// Keys of the configuration.
const (
	keyVlan   = "vlan"
	keyTrunk  = "vlanTrunk"
	keyMTU    = "mtu"
	keyType   = "type"
	keyBridge = "bridge"
)

// netconf is the configuration of a network for its CNI plugin, with whatever keys it has.
type netconf map[string]any

// parse reads the JSON of a configuration.
func parse(text string) (netconf, error) {
	decoder := json.NewDecoder(bytes.NewReader([]byte(text)))
	decoder.UseNumber() // numbers stay as they are
	var conf netconf
	if err := decoder.Decode(&conf); err != nil {
		return nil, fmt.Errorf("it is no JSON object: %w", err)
	}
	if conf == nil || decoder.More() {
		return nil, fmt.Errorf("it is no single JSON object")
	}
	return conf, nil
}

// vlanNetwork is the configuration of a network in one VLAN, as Harvester's dashboard writes it
// (pkg/builder/network.go in its source); 0 is none.
func vlanNetwork(name, clusterNetwork string, vlan int64) netconf {
	return netconf{
		"cniVersion": "0.3.1", "name": name, keyType: "bridge", keyBridge: clusterNetwork + bridgeSuffix,
		"promiscMode": true, keyVlan: json.Number(fmt.Sprint(vlan)), "ipam": map[string]any{},
	}
}

// text is the JSON.
func (c netconf) text() string {
	text, _ := json.Marshal(map[string]any(c)) // what was JSON can be JSON again
	return string(text)
}

func (c netconf) string(key string) string {
	text, _ := c[key].(string)
	return text
}

func (c netconf) number(key string) int64 {
	number, _ := c[key].(json.Number)
	value, _ := number.Int64()
	return value
}

// clusterNetwork is the cluster network of the bridge; "" if there is none, as in an overlay.
func (c netconf) clusterNetwork() string {
	name, found := strings.CutSuffix(c.string(keyBridge), bridgeSuffix)
	if !found {
		return ""
	}
	return name
}

// vlan is the VLAN, 0 for none. A trunk and an overlay have none that could be told.
func (c netconf) vlan() (vlan int64, told bool) {
	if _, has := c[keyVlan]; has {
		return c.number(keyVlan), !c.trunk() || c.number(keyVlan) != 0
	}
	return 0, c.bridged() && !c.trunk()
}

func (c netconf) trunk() bool {
	trunk, _ := c[keyTrunk].([]any)
	return len(trunk) > 0
}

// bridged: the server takes a missing type for bridge.
func (c netconf) bridged() bool { return c.string(keyType) == "bridge" || c.string(keyType) == "" }

// same says that two configurations mean the same. The MTU does not count: it is that of the cluster network, which the
// server puts there.
func (c netconf) same(server netconf) bool {
	return reflect.DeepEqual(c.withMTUOf(nil), server.withMTUOf(nil))
}

// withMTUOf is the configuration with the MTU of another, or without one.
func (c netconf) withMTUOf(other netconf) netconf {
	conf := maps.Clone(c)
	delete(conf, keyMTU)
	if mtu, has := other[keyMTU]; has {
		conf[keyMTU] = mtu
	}
	return conf
}
