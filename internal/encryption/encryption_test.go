// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package encryption_test

import (
	"context"
	"errors"
	"maps"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/harvester-community/terraform-provider-harvester/internal/encryption"
	"github.com/harvester-community/terraform-provider-harvester/internal/imagestate"
)

// parameters are those of a right class with changes; an empty value removes the key.
func parameters(changes map[string]string) map[string]string {
	p := map[string]string{"encrypted": "true", "numberOfReplicas": "3"}
	for _, use := range []string{"provisioner", "node-stage", "node-publish"} {
		p["csi.storage.k8s.io/"+use+"-secret-name"] = "crypto"
		p["csi.storage.k8s.io/"+use+"-secret-namespace"] = "vault"
	}
	return changed(p, changes)
}

func changed(base, changes map[string]string) map[string]string {
	for key, value := range changes {
		if base[key] = value; value == "" {
			delete(base, key)
		}
	}
	return base
}

func secret(changes map[string]string) *corev1.Secret {
	s := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "vault", Name: "crypto"}, Data: map[string][]byte{}}
	for key, value := range changed(map[string]string{
		"CRYPTO_KEY_VALUE": "hush", "CRYPTO_KEY_PROVIDER": "secret", "CRYPTO_KEY_CIPHER": "aes-xts-plain64",
		"CRYPTO_KEY_HASH": "sha256", "CRYPTO_KEY_SIZE": "256", "CRYPTO_PBKDF": "argon2i",
	}, changes) {
		s.Data[key] = []byte(value)
	}
	return s
}

// expect compares a refusal with what it must say; nothing means that it must be nil.
func expect(t *testing.T, got *imagestate.Refusal, want ...string) {
	t.Helper()
	if got == nil {
		if len(want) > 0 {
			t.Errorf("nothing is found, want %q", want)
		}
		return
	}
	if len(want) == 0 {
		t.Errorf("got %+v, want nothing", *got)
	}
	for _, text := range want {
		if !strings.Contains(got.Summary+"\n"+got.Reason+"\n"+got.Remedy, text) {
			t.Errorf("%q is missing in %+v", text, *got)
		}
	}
	if got.Summary == "" || got.Reason == "" || got.Remedy == "" {
		t.Errorf("incomplete: %+v", *got)
	}
}

func TestCheckParameters(t *testing.T) {
	t.Parallel()
	const stage = "csi.storage.k8s.io/node-stage-secret-"
	for name, test := range map[string]struct {
		changes map[string]string
		want    []string
	}{
		"right":                    {},
		"not for encryption":       {changes: map[string]string{"encrypted": "", stage + "name": ""}},
		"encryption off":           {changes: map[string]string{"encrypted": "false", stage + "name": ""}},
		"neither true nor false":   {changes: map[string]string{"encrypted": "yes"}, want: []string{`"locked"`, `encrypted is "yes"`}},
		"a name is missing":        {changes: map[string]string{stage + "name": ""}, want: []string{"lacks " + stage + "name."}},
		"both are missing":         {changes: map[string]string{stage + "name": "", stage + "namespace": ""}, want: []string{stage + "name, " + stage + "namespace"}},
		"another name":             {changes: map[string]string{stage + "name": "other"}, want: []string{"for provisioner and for node-stage name different secrets"}},
		"another namespace":        {changes: map[string]string{stage + "namespace": "other"}, want: []string{"name different secrets"}},
		"with the optional secret": {changes: map[string]string{"csi.storage.k8s.io/node-expand-secret-name": "crypto", "csi.storage.k8s.io/node-expand-secret-namespace": "vault"}},
		"another optional secret":  {changes: map[string]string{"csi.storage.k8s.io/node-expand-secret-name": "crypto"}, want: []string{"node-expand name different secrets"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			expect(t, encryption.CheckParameters("locked", parameters(test.changes)), test.want...)
		})
	}
}

func TestCheckClass(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		provisioner string
		changes     map[string]string
		want        []string
	}{
		"right":              {provisioner: encryption.Provisioner},
		"other provisioner":  {provisioner: "lvm.example.com", want: []string{"cannot encrypt", "lvm.example.com", encryption.Provisioner}},
		"bound to an image":  {provisioner: encryption.Provisioner, changes: map[string]string{"backingImage": "vmi-1"}, want: []string{"belongs to an image", "vmi-1"}},
		"not for encryption": {provisioner: encryption.Provisioner, changes: map[string]string{"encrypted": ""}, want: []string{"not for encryption", `"locked"`}},
		// Harvester's webhook for classes accepts this, the one for images does not.
		"encrypted = 1":      {provisioner: encryption.Provisioner, changes: map[string]string{"encrypted": "1"}, want: []string{"not for encryption"}},
		"incomplete":         {provisioner: encryption.Provisioner, changes: map[string]string{"csi.storage.k8s.io/provisioner-secret-name": ""}, want: []string{"lacks csi"}},
		"bound, unencrypted": {provisioner: encryption.Provisioner, changes: map[string]string{"backingImage": "vmi-1", "encrypted": ""}, want: []string{"belongs to an image"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			expect(t, encryption.CheckClass(&storagev1.StorageClass{
				ObjectMeta: metav1.ObjectMeta{Name: "locked"}, Provisioner: test.provisioner, Parameters: parameters(test.changes),
			}), test.want...)
		})
	}
}

func TestCheckSecret(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		changes map[string]string
		want    []string
	}{
		"right":            {},
		"no passphrase":    {changes: map[string]string{"CRYPTO_KEY_VALUE": ""}, want: []string{`"vault/crypto"`, "the passphrase, is missing"}},
		"no cipher":        {changes: map[string]string{"CRYPTO_KEY_CIPHER": ""}, want: []string{"CRYPTO_KEY_CIPHER is missing; it must be aes-xts-plain, aes-xts-plain64,"}},
		"unknown cipher":   {changes: map[string]string{"CRYPTO_KEY_CIPHER": "rot13"}, want: []string{"CRYPTO_KEY_CIPHER must be", " or aes-cbc-essiv:sha256"}},
		"unknown provider": {changes: map[string]string{"CRYPTO_KEY_PROVIDER": "vault"}, want: []string{"CRYPTO_KEY_PROVIDER must be secret"}},
		"unknown hash":     {changes: map[string]string{"CRYPTO_KEY_HASH": "md5"}, want: []string{"CRYPTO_KEY_HASH must be sha256, sha384 or sha512"}},
		"unknown size":     {changes: map[string]string{"CRYPTO_KEY_SIZE": "128"}, want: []string{"CRYPTO_KEY_SIZE must be 256, 384 or 512"}},
		"unknown pbkdf":    {changes: map[string]string{"CRYPTO_PBKDF": "scrypt"}, want: []string{"CRYPTO_PBKDF must be argon2i, argon2id or pbkdf2"}},
		"two things":       {changes: map[string]string{"CRYPTO_PBKDF": "", "CRYPTO_KEY_HASH": ""}, want: []string{"CRYPTO_KEY_HASH is missing", "CRYPTO_PBKDF is missing"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := encryption.CheckSecret(secret(test.changes))
			expect(t, got, test.want...)
			for _, value := range test.changes { // it may be the passphrase under a wrong key
				if got != nil && value != "" && value != "vault" && strings.Contains(got.Reason, value) {
					t.Errorf("the value %q is in %q", value, got.Reason)
				}
			}
		})
	}
	empty := secret(nil)
	empty.Data["CRYPTO_KEY_VALUE"] = nil
	expect(t, encryption.CheckSecret(empty), "the passphrase, is empty")
}

func TestBehind(t *testing.T) {
	t.Parallel()
	trouble := errors.New("no rights")
	for name, test := range map[string]struct {
		changes map[string]string
		secret  *corev1.Secret
		err     error
		want    []string
		absent  bool
	}{
		"right":               {secret: secret(nil)},
		"absent":              {err: apierrors.NewNotFound(schema.GroupResource{Resource: "secrets"}, "crypto"), want: []string{"not found", `"vault/crypto"`}, absent: true},
		"wrong":               {secret: secret(map[string]string{"CRYPTO_PBKDF": ""}), want: []string{"not usable"}},
		"cannot be read":      {err: trouble},
		"not for encryption":  {changes: map[string]string{"encrypted": "false"}, err: trouble},
		"refers to no secret": {changes: map[string]string{"csi.storage.k8s.io/node-publish-secret-name": ""}, err: trouble},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			asked := ""
			got, err := encryption.Behind(t.Context(), parameters(test.changes), func(_ context.Context, namespace, name string) (*corev1.Secret, error) {
				asked = namespace + "/" + name
				return test.secret, test.err
			})
			expect(t, got, test.want...)
			if got != nil && got.Absent != test.absent {
				t.Errorf("absent: %v", got.Absent)
			}
			if wants := errors.Is(test.err, trouble) && test.changes == nil; (err != nil) != wants {
				t.Errorf("got the error %v", err)
			}
			if wants := map[bool]string{true: "vault/crypto"}[test.changes == nil]; asked != wants {
				t.Errorf("read the secret %q, want %q", asked, wants)
			}
		})
	}
}

func TestEnabledReadsAsHarvesterDoes(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]bool{"true": true, "1": true, "T": true, "false": false, "": false, "yes": false} {
		p := maps.Clone(parameters(nil))
		p["encrypted"] = value
		if got := encryption.Enabled(p); got != want {
			t.Errorf("%q: got %v", value, got)
		}
	}
}
