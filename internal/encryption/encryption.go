// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

// Package encryption knows what Harvester demands of a storage class for encryption and
// of the secret behind it. It is pure: what it needs to read, it is given.
package encryption

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/harvester-community/terraform-provider-harvester/internal/imagestate"
)

// Parameters of a storage class.
const (
	ParameterEncrypted    = "encrypted"
	ParameterBackingImage = "backingImage"

	csi             = "csi.storage.k8s.io/"
	suffixName      = "-secret-name"
	suffixNamespace = "-secret-namespace"
)

// Provisioner is Longhorn's: no other encrypts.
const Provisioner = "driver.longhorn.io"

// Secrets reads a secret. A NotFound is the API's own.
type Secrets func(ctx context.Context, namespace, name string) (*corev1.Secret, error)

// Enabled says that the parameters ask for encryption, as Harvester reads them.
func Enabled(parameters map[string]string) bool {
	enabled, err := strconv.ParseBool(parameters[ParameterEncrypted])
	return err == nil && enabled
}

// uses are what a secret is given to Longhorn for. Harvester demands the first three;
// the last is for growing a volume, from Harvester 1.9 on.
var uses = []string{"provisioner", "node-stage", "node-publish", "node-expand"}

const required = 3

// CheckParameters judges the parameters of the class of that name, as Harvester does when a
// class is made. A class that is not for encryption is right.
func CheckParameters(class string, parameters map[string]string) *imagestate.Refusal {
	value, stated := parameters[ParameterEncrypted]
	if !stated {
		return nil
	}
	if _, err := strconv.ParseBool(value); err != nil {
		return incapable(class, fmt.Sprintf("its parameter %s is %q, which is neither true nor false", ParameterEncrypted, value))
	}
	if !Enabled(parameters) {
		return nil
	}
	if missing := missing(parameters); len(missing) > 0 {
		return incapable(class, "it lacks "+strings.Join(missing, ", "))
	}
	for _, use := range uses[1:] {
		if differs(parameters, use) {
			return incapable(class, fmt.Sprintf("its parameters for %s and for %s name different secrets", uses[0], use))
		}
	}
	return nil
}

// CheckClass judges a class that an image is to be encrypted with.
func CheckClass(class *storagev1.StorageClass) *imagestate.Refusal {
	switch parameters := class.Parameters; {
	case class.Provisioner != Provisioner:
		return &imagestate.Refusal{
			Summary: "Storage class cannot encrypt",
			Reason:  fmt.Sprintf("The storage class %q is provisioned by %s. Harvester encrypts with Longhorn's classes only (%s).", class.Name, class.Provisioner, Provisioner),
			Remedy:  "Name a storage class of Longhorn with encrypted = \"true\".",
		}
	case parameters[ParameterBackingImage] != "":
		return Bound(class)
	case parameters[ParameterEncrypted] != "true":
		return &imagestate.Refusal{
			Summary: "Storage class is not for encryption",
			Reason: fmt.Sprintf("The storage class %q does not encrypt: Harvester demands that its parameter %s is \"true\".",
				class.Name, ParameterEncrypted),
			Remedy: "Name a storage class made for encryption. The parameters of a class cannot be changed, so make a new one if there is none.",
		}
	}
	return CheckParameters(class.Name, class.Parameters)
}

// Bound is the refusal of a class that belongs to one image, which Harvester
// does not take as the template of another.
func Bound(class *storagev1.StorageClass) *imagestate.Refusal {
	if class.Parameters[ParameterBackingImage] == "" {
		return nil
	}
	return &imagestate.Refusal{
		Summary: "Storage class belongs to an image",
		Reason: fmt.Sprintf("Harvester made the storage class %q for the volumes of one image (by the backing image %s) and does not take it for another.",
			class.Name, class.Parameters[ParameterBackingImage]),
		Remedy: "Name a storage class that is not bound to an image.",
	}
}

// SecretRef is the secret that the parameters refer to; found is false if they name none.
func SecretRef(parameters map[string]string) (namespace, name string, found bool) {
	// Longhorn takes this one for a backing image; CheckParameters has compared it with the others.
	namespace, name = reference(parameters, "node-publish")
	return namespace, name, namespace != "" && name != ""
}

// Behind reads the secret that the parameters refer to and judges it. The error is that
// of reading: it takes a right that not everybody has.
func Behind(ctx context.Context, parameters map[string]string, secrets Secrets) (*imagestate.Refusal, error) {
	namespace, name, found := SecretRef(parameters)
	if !Enabled(parameters) || !found {
		return nil, nil
	}
	secret, err := secrets(ctx, namespace, name)
	switch {
	case apierrors.IsNotFound(err):
		return &imagestate.Refusal{
			Summary: "Encryption secret not found",
			Reason:  fmt.Sprintf("The secret \"%s/%s\", which holds the key, does not exist.", namespace, name),
			Remedy:  "Create it, or correct the parameters " + csi + "*" + suffixName + " and *" + suffixNamespace + " of the storage class.",
			Absent:  true,
		}, nil
	case err != nil:
		return nil, err
	}
	return CheckSecret(secret), nil
}

// values are what the keys of a secret may hold; nil: any text but none.
var values = map[string][]string{
	"CRYPTO_KEY_VALUE":    nil,
	"CRYPTO_KEY_PROVIDER": {"secret"},
	"CRYPTO_KEY_CIPHER":   {"aes-xts-plain", "aes-xts-plain64", "aes-cbc-plain", "aes-cbc-plain64", "aes-cbc-essiv:sha256"},
	"CRYPTO_KEY_HASH":     {"sha256", "sha384", "sha512"},
	"CRYPTO_KEY_SIZE":     {"256", "384", "512"},
	"CRYPTO_PBKDF":        {"argon2i", "argon2id", "pbkdf2"},
}

// keys is the order in which people write and read them.
var keys = []string{"CRYPTO_KEY_VALUE", "CRYPTO_KEY_PROVIDER", "CRYPTO_KEY_CIPHER", "CRYPTO_KEY_HASH", "CRYPTO_KEY_SIZE", "CRYPTO_PBKDF"}

// CheckSecret judges an encryption secret. No value of it is ever in the refusal.
func CheckSecret(secret *corev1.Secret) *imagestate.Refusal {
	var wrong []string
	for _, key := range keys {
		if text := checkKey(secret, key); text != "" {
			wrong = append(wrong, text)
		}
	}
	if len(wrong) == 0 {
		return nil
	}
	return &imagestate.Refusal{
		Summary: "Encryption secret not usable",
		Reason: fmt.Sprintf("The secret \"%s/%s\", which holds the key, is not as Harvester demands:\n  - %s",
			secret.Namespace, secret.Name, strings.Join(wrong, "\n  - ")),
		Remedy: "Correct the secret. Keep CRYPTO_KEY_VALUE if anything is encrypted with it already.",
	}
}

func checkKey(secret *corev1.Secret, key string) string {
	value, found := secret.Data[key]
	allowed := values[key]
	switch {
	case !found && allowed == nil:
		return key + ", the passphrase, is missing"
	case !found:
		return key + " is missing; it must be " + either(allowed)
	case allowed == nil && len(value) == 0:
		return key + ", the passphrase, is empty"
	case allowed != nil && !slices.Contains(allowed, string(value)):
		return key + " must be " + either(allowed)
	}
	return ""
}

func either(allowed []string) string {
	last := len(allowed) - 1
	if last == 0 {
		return allowed[0]
	}
	return strings.Join(allowed[:last], ", ") + " or " + allowed[last]
}

func incapable(class, wrong string) *imagestate.Refusal {
	return &imagestate.Refusal{
		Summary: "Storage class cannot encrypt",
		Reason:  fmt.Sprintf("The storage class %q is meant for encryption, but %s.", class, wrong),
		Remedy: fmt.Sprintf("Harvester wants %s = \"true\" and one secret, named by %s<use>%s and <use>%s, where <use> is each of %s.",
			ParameterEncrypted, csi, suffixName, suffixNamespace, strings.Join(uses[:required], ", ")),
	}
}

// missing lists the required parameters that are not there or empty.
func missing(parameters map[string]string) (names []string) {
	for _, use := range uses[:required] {
		for _, suffix := range []string{suffixName, suffixNamespace} {
			if parameters[csi+use+suffix] == "" {
				names = append(names, csi+use+suffix)
			}
		}
	}
	return names
}

// differs: the use has another secret than the first; a use that has none has no other.
func differs(parameters map[string]string, use string) bool {
	namespace, name := reference(parameters, use)
	wantNamespace, wantName := reference(parameters, uses[0])
	return (namespace != "" || name != "") && (namespace != wantNamespace || name != wantName)
}

func reference(parameters map[string]string, use string) (namespace, name string) {
	return parameters[csi+use+suffixNamespace], parameters[csi+use+suffixName]
}
