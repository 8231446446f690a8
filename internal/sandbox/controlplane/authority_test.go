// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package controlplane

import (
	"crypto/tls"
	"crypto/x509"
	"testing"
)

func TestAuthorityOutlivesARestart(t *testing.T) {
	dir := t.TempDir()
	first, err := OpenAuthority(dir)
	if err != nil {
		t.Fatal(err)
	}
	second, err := OpenAuthority(dir)
	if err != nil {
		t.Fatal(err)
	}
	certificateFile, keyFile, err := second.Issue("front")
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.LoadX509KeyPair(certificateFile, keyFile)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"127.0.0.1", "localhost"} {
		if _, err := pair.Leaf.Verify(x509.VerifyOptions{Roots: first.Pool(), DNSName: name}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTokensOutliveARestart(t *testing.T) {
	dir := t.TempDir()
	first, err := openTokens(dir)
	if err != nil {
		t.Fatal(err)
	}
	second, err := openTokens(dir)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]User{}
	for _, user := range everyUser {
		before, err := first.read(user)
		if err != nil {
			t.Fatal(err)
		}
		after, err := second.read(user)
		if err != nil || after != before {
			t.Errorf("%s: token %q, then %q, %v", user, before, after, err)
		}
		if other, taken := seen[after]; taken || after == "" {
			t.Errorf("%s and %s have the same token", user, other)
		}
		seen[after] = user
	}
}
