// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package cloudinit

import (
	"encoding/base64"
	"strings"
	"testing"
)

func TestWithLogin(t *testing.T) {
	keys := []string{"ssh-ed25519 AAAA me", "ssh-rsa BBBB you"}
	const both = "ssh_authorized_keys:\n  - ssh-ed25519 AAAA me\n  - ssh-rsa BBBB you"
	for name, test := range map[string]struct {
		data, user string
		keys       []string
		want       string
	}{
		"nothing":        {"#cloud-config\n", "", nil, "#cloud-config\n"},
		"only keys":      {"", "", keys, "#cloud-config\n" + both},
		"only a user":    {"", "me", nil, "#cloud-config\nuser: me\n"},
		"both":           {"", "me", keys, "#cloud-config\nuser: me\n\n" + both},
		"after data":     {"#cloud-config\na: b", "me", keys, "#cloud-config\na: b\nuser: me\n\n" + both},
		"user there":     {"#cloud-config\nuser: you\n", "me", nil, "#cloud-config\nuser: you\n"},
		"keys there":     {"#cloud-config\nssh_authorized_keys:\n- x", "", keys, "#cloud-config\nssh_authorized_keys:\n- x"},
		"not at a start": {"#cloud-config\nusers:\n  - user: x", "me", nil, "#cloud-config\nusers:\n  - user: x\nuser: me\n"},
	} {
		got := WithLogin(test.data, test.user, test.keys)
		if got != test.want {
			t.Errorf("%s:\ngot  %q\nwant %q", name, got, test.want)
		}
		if !addedTo(test.data, got) {
			t.Errorf("%s: %q is not seen as %q with additions", name, got, test.data)
		}
		if WithLogin(got, test.user, test.keys) != got {
			t.Errorf("%s: a second time adds more", name)
		}
	}
}

func TestAddedTo(t *testing.T) {
	for _, test := range []struct {
		configured, live string
		want             bool
	}{
		{"", "", true},
		{"a", "a", true},
		{"a", "b", false},
		{"a", "ab", false},
		{"a", "", false},
		{"", "#cloud-config\na: b", false},
		{"a", "a\nssh_authorized_keys:\n  - k\nruncmd: x", false},
	} {
		if got := addedTo(test.configured, test.live); got != test.want {
			t.Errorf("%q, %q: got %t", test.configured, test.live, got)
		}
	}
}

func TestInjectable(t *testing.T) {
	for data, want := range map[string]bool{
		"": true, "#cloud-config\na: b": true, "a: b\n": true, "#!/bin/sh\necho": false, "Content-Type: multipart/mixed; boundary=x\n\n--x": false,
	} {
		if got := Injectable(data); got != want {
			t.Errorf("%q: got %t", data, got)
		}
	}
}

func TestOffload(t *testing.T) {
	fits, long := strings.Repeat("x", maxInline), strings.Repeat("x", maxInline+1)
	inline := Seed{Kind: TypeNoCloud, UserData: fits, NetworkData: fits}
	if data := inline.Offload("s"); data != nil || inline.UserData != fits {
		t.Errorf("data that fit were moved: %v", data)
	}
	plain := Seed{Kind: TypeNoCloud, UserData: long, NetworkData: "short"}
	if data := plain.Offload("s"); string(data[KeyUserData]) != long || len(data) != 1 || plain.UserData != "" || plain.UserDataSecret != "s" || plain.NetworkData != "short" {
		t.Errorf("got %v, left %+v", len(data), plain.UserDataSecret)
	}
	encoded := Seed{Kind: TypeNoCloud, UserDataBase64: base64.StdEncoding.EncodeToString([]byte(long)), NetworkData: long}
	if data := encoded.Offload("s"); string(data[KeyUserData]) != long || string(data[KeyNetworkData]) != long || encoded.UserDataBase64 != "" || encoded.NetworkDataSecret != "s" {
		t.Errorf("got %d entries", len(data))
	}
}
