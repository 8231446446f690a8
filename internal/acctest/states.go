// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package acctest

import (
	"context"
	"strings"
	"testing"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/imagestate"
)

// Initializing makes an image that the cluster has not begun with. Harvester does
// not touch it again as long as its backing image exists.
func (c *Cluster) Initializing(t *testing.T, name string) {
	t.Helper()
	c.Pending(t, name)
	c.Unready(t, name)
}

// Unready takes from an image all that says that it is complete.
func (c *Cluster) Unready(t *testing.T, name string) {
	t.Helper()
	Eventually(t, "the image "+name+" has no conditions", func(ctx context.Context) bool {
		if _, err := c.Images.Patch(ctx, "default", name, map[string]any{"status": map[string]any{"conditions": nil}}); err != nil {
			t.Fatal(err)
		}
		image, err := c.Images.Get(ctx, "default", name)
		return err == nil && imagestate.Of(image).State == imagestate.Initializing
	})
}

// Unverified makes a complete image whose content is being verified.
func (c *Cluster) Unverified(t *testing.T, name string) {
	t.Helper()
	c.Uploaded(t, name, 1<<20)
	mark := map[string]any{"metadata": map[string]any{"annotations": map[string]any{api.AnnotationUnverified: "true"}}}
	if _, err := c.Images.Patch(t.Context(), "default", name, mark); err != nil {
		t.Fatal(err)
	}
}

// Failed makes an image whose import failed for good, with this cause. Without
// a retry, Harvester's own clearing away can be what ends it; then it is made again.
func (c *Cluster) Failed(t *testing.T, name, cause string) {
	t.Helper()
	c.SetFault(t, name, Fault{FailImport: cause})
	t.Cleanup(func() { _ = c.Images.Delete(context.Background(), "default", name, "") })
	Eventually(t, "the import fails for the right cause", func(ctx context.Context) bool {
		if strings.Contains(c.failOnce(ctx, t, name).Message, cause) {
			return true
		}
		_ = c.Images.Delete(ctx, "default", name, "")
		return false
	})
}

// failOnce makes the image, unless it is there, and returns how it ended.
func (c *Cluster) failOnce(ctx context.Context, t *testing.T, name string) imagestate.Image {
	t.Helper()
	never := int64(0)
	_, err := c.Images.Create(ctx, "default", &api.VirtualMachineImage{
		ObjectMeta: Meta("default", name),
		Spec:       api.VirtualMachineImageSpec{DisplayName: name, SourceType: api.SourceUpload, Retry: &never},
	})
	if err != nil {
		return imagestate.Image{} // the one before is still on its way out
	}
	c.Await(t, name, func(i imagestate.Image) bool { return i.AwaitsData || i.Terminal })
	_ = c.Send(t, name, 4096)
	c.Await(t, name, func(i imagestate.Image) bool { return i.Terminal })
	image, err := c.Images.Get(ctx, "default", name)
	if err != nil {
		return imagestate.Image{}
	}
	return imagestate.Of(image)
}

// Retrying makes an image whose first import failed with this cause, and that
// waits for the next attempt.
func (c *Cluster) Retrying(t *testing.T, name, cause string) {
	t.Helper()
	c.SetFault(t, name, Fault{FailImport: cause})
	c.Pending(t, name)
	_ = c.Send(t, name, 4096)
	c.Await(t, name, func(i imagestate.Image) bool { return i.Attempts > 0 && i.AwaitsData && !i.Terminal })
}

// Deleting holds an image in deletion by a finalizer.
func (c *Cluster) Deleting(t *testing.T, name string) {
	t.Helper()
	c.Pending(t, name)
	hold := map[string]any{"metadata": map[string]any{"finalizers": []string{"example.com/hold"}}}
	release := map[string]any{"metadata": map[string]any{"finalizers": nil}}
	if _, err := c.Images.Patch(t.Context(), "default", name, hold); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = c.Images.Patch(context.Background(), "default", name, release) })
	if err := c.Images.Delete(t.Context(), "default", name, ""); err != nil {
		t.Fatal(err)
	}
}

// EncryptedClass makes a storage class for encrypted images, and its secret.
func (c *Cluster) EncryptedClass(t *testing.T) (class string) {
	t.Helper()
	class = Name(t)
	c.Apply(t, api.Secrets, "default", map[string]any{
		"apiVersion": "v1", "kind": "Secret", "metadata": map[string]any{"name": class, "namespace": "default"},
		"stringData": map[string]any{
			"CRYPTO_KEY_VALUE": "a long passphrase", "CRYPTO_KEY_PROVIDER": "secret", "CRYPTO_KEY_CIPHER": "aes-xts-plain64",
			"CRYPTO_KEY_HASH": "sha256", "CRYPTO_KEY_SIZE": "256", "CRYPTO_PBKDF": "argon2i",
		},
	})
	parameters := map[string]any{"encrypted": "true", "numberOfReplicas": "1", "staleReplicaTimeout": "30", "migratable": "true"}
	for _, use := range []string{"provisioner", "node-stage", "node-publish"} {
		parameters["csi.storage.k8s.io/"+use+"-secret-name"] = class
		parameters["csi.storage.k8s.io/"+use+"-secret-namespace"] = "default"
	}
	c.Apply(t, api.StorageClasses, "", map[string]any{
		"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": map[string]any{"name": class},
		"provisioner": "driver.longhorn.io", "reclaimPolicy": "Delete", "volumeBindingMode": "Immediate",
		"allowVolumeExpansion": true, "parameters": parameters,
	})
	return class
}

// Encrypted makes an encrypted copy of a complete image and waits until it is ready.
func (c *Cluster) Encrypted(t *testing.T, name, source, class string) {
	t.Helper()
	c.cloned(t, name, source, api.CryptoEncrypt, map[string]string{api.AnnotationStorageClassName: class})
}

// Decrypted makes a decrypted copy of an encrypted image and waits until it is ready.
func (c *Cluster) Decrypted(t *testing.T, name, source string) {
	t.Helper()
	c.cloned(t, name, source, api.CryptoDecrypt, nil)
}

func (c *Cluster) cloned(t *testing.T, name, source, operation string, annotations map[string]string) {
	t.Helper()
	copied := &api.VirtualMachineImage{
		ObjectMeta: Meta("default", name),
		Spec: api.VirtualMachineImageSpec{
			DisplayName: name, SourceType: api.SourceClone,
			SecurityParameters: &api.ImageSecurityParameters{CryptoOperation: operation, SourceImageName: source, SourceImageNamespace: "default"},
		},
	}
	copied.Annotations = annotations
	// Harvester's webhooks may not have seen the class or the source yet.
	Eventually(t, "the copy is accepted", func(ctx context.Context) bool {
		_, err := c.Images.Create(ctx, "default", copied)
		return err == nil
	})
	t.Cleanup(func() { _ = c.Images.Delete(context.Background(), "default", name, "") })
	c.Await(t, name, imagestate.Image.Ready)
}
