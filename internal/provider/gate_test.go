// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

const (
	imagesPath  = "/apis/harvesterhci.io/v1beta1/namespaces/default/virtualmachineimages/"
	classesPath = "/apis/storage.k8s.io/v1/storageclasses/"
	claimsPath  = "/api/v1/namespaces/default/persistentvolumeclaims/"
	secretsPath = "/api/v1/namespaces/default/secrets/"
)

// imageOf is an image; sealed if it is an encrypted copy.
func imageOf(imported string, sealed bool) string {
	spec := `"displayName":"b","sourceType":"upload"`
	if sealed {
		spec = `"displayName":"b","sourceType":"clone","securityParameters":{"cryptoOperation":"encrypt","sourceImageName":"c","sourceImageNamespace":"default"}`
	}
	return `"apiVersion":"harvesterhci.io/v1beta1","kind":"VirtualMachineImage","spec":{` + spec + `},"status":{` + statusOf(imported) + `}`
}

const (
	plainClass = `"apiVersion":"storage.k8s.io/v1","kind":"StorageClass","provisioner":"driver.longhorn.io","metadata":{"annotations":{"storageclass.kubernetes.io/is-default-class":"true"}}`
	cryptClass = `"apiVersion":"storage.k8s.io/v1","kind":"StorageClass","provisioner":"driver.longhorn.io","parameters":{"encrypted":"true",` +
		`"csi.storage.k8s.io/provisioner-secret-name":"key","csi.storage.k8s.io/provisioner-secret-namespace":"default",` +
		`"csi.storage.k8s.io/node-stage-secret-name":"key","csi.storage.k8s.io/node-stage-secret-namespace":"default",` +
		`"csi.storage.k8s.io/node-publish-secret-name":"key","csi.storage.k8s.io/node-publish-secret-namespace":"default"}`
	// cryptSecret: "phrase", "secret", "aes-xts-plain64", "sha256", "256", "argon2i".
	cryptSecret = `"apiVersion":"v1","kind":"Secret","data":{"CRYPTO_KEY_VALUE":"cGhyYXNl","CRYPTO_KEY_PROVIDER":"c2VjcmV0","CRYPTO_KEY_CIPHER":"YWVzLXh0cy1wbGFpbjY0",` +
		`"CRYPTO_KEY_HASH":"c2hhMjU2","CRYPTO_KEY_SIZE":"MjU2","CRYPTO_PBKDF":"YXJnb24yaQ=="}`
	claimOfImage = `"apiVersion":"v1","kind":"PersistentVolumeClaim","metadata":{"annotations":{"harvesterhci.io/imageId":"default/b"}},` +
		`"spec":{"storageClassName":"longhorn-a","accessModes":["ReadWriteMany"],"resources":{"requests":{"storage":"1Gi"}}},"status":{"phase":"Bound"}`
)

// uses are all uses of the image default/b.
var uses = map[string]struct {
	kind      string
	sealed    bool // it needs an encrypted image
	arguments map[string]any
}{
	"virtual machine": {"harvester_virtualmachine", false, map[string]any{
		"name":              "a",
		"disk":              []any{map[string]any{"name": "root", "image": "default/b", "size": "1Gi"}},
		"network_interface": []any{map[string]any{"name": "default"}},
	}},
	"virtual machine with a volume of it": {"harvester_virtualmachine", false, map[string]any{
		"name":              "a",
		"disk":              []any{map[string]any{"name": "data", "existing_volume_name": "c"}},
		"network_interface": []any{map[string]any{"name": "default"}},
	}},
	"volume":          {"harvester_volume", false, map[string]any{"name": "a", "size": "1Gi", "image": "default/b"}},
	"encrypted image": {"harvester_encrypted_image", false, map[string]any{"name": "a", "display_name": "a", "source_image": "default/b", "storage_class_name": "crypt"}},
	"decrypted image": {"harvester_decrypted_image", true, map[string]any{"name": "a", "display_name": "a", "source_image": "default/b"}},
	"clone": {"harvester_image", false, map[string]any{
		"name": "a", "display_name": "a", "source_type": "clone", "storage_class_name": "crypt",
		"security_parameters": map[string]any{"crypto_operation": "encrypt", "source_image_name": "b", "source_image_namespace": "default"},
	}},
	"export":   {"harvester_image", false, map[string]any{"name": "a", "display_name": "a", "source_type": "export-from-volume", "pvc_namespace": "default", "pvc_name": "c"}},
	"download": {"harvester_image_download", false, map[string]any{"image": "default/b", "filename": "copy.img"}},
}

// uploading is the world with an image, and all that its uses need besides.
func imageWorld(imported string, sealed bool) *world {
	return newWorld(map[string]string{
		imagesPath + "b": imageOf(imported, sealed), classesPath + "longhorn-a": plainClass, classesPath + "crypt": cryptClass,
		secretsPath + "key": cryptSecret, claimsPath + "c": claimOfImage,
	})
}

// Nothing is planned from an image that is not ready, and nothing made from one that was when it was planned.
func TestGate(t *testing.T) {
	t.Parallel()
	for name, use := range uses {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cluster := imageWorld("Unknown", use.sealed)
			c := courseIn(t, use.kind, cluster, nil)
			config := c.configured(use.arguments)
			c.begin()
			if c.planFor(config); c.failed != "Image is not ready" {
				t.Errorf("the plan ends with %q, %q: %s", c.failed, c.warned, c.details)
			}

			cluster.put(imagesPath+"b", imageOf("True", use.sealed))
			c = courseIn(t, use.kind, cluster, nil)
			c.begin()
			planned, _ := c.planFor(config)
			if c.failed != "" {
				t.Fatalf("the plan from a ready image ends with %q: %s", c.failed, c.details)
			}
			cluster.put(imagesPath+"b", imageOf("Unknown", use.sealed))
			c.applyPlan(config, planned)
			if c.failed != "Image is not ready" || !strings.Contains(c.details, "Nothing was created or changed.") || !c.state.IsNull() {
				t.Errorf("the apply ends with %q: %s", c.failed, c.details)
			}
			if written := cluster.written(); len(written) > 0 {
				t.Errorf("it wrote %q", written)
			}
		})
	}
}

// What was seen a moment ago is no reason for a refusal: a plan looks again.
func TestGateLooksTwice(t *testing.T) {
	t.Parallel()
	for name, use := range uses {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cluster := imageWorld("True", use.sealed)
			cluster.seenOnce(imagesPath+"b", imageOf("Unknown", use.sealed))
			c := courseIn(t, use.kind, cluster, nil)
			c.begin()
			if c.planFor(c.configured(use.arguments)); c.failed != "" {
				t.Errorf("the plan ends with %q: %s", c.failed, c.details)
			}
			if cluster.unread(imagesPath + "b") {
				t.Error("the plan did not look at all")
			}
		})
	}
}

// A machine that is off is switched on only if all that it starts with is complete.
func TestGateOfStarting(t *testing.T) {
	t.Parallel()
	cluster := imageWorld("True", false)
	c := courseIn(t, "harvester_virtualmachine", cluster, nil)
	machine := func(strategy string) tftypes.Value {
		return c.configured(map[string]any{
			"name": "a", "run_strategy": strategy,
			"disk":              []any{map[string]any{"name": "data", "existing_volume_name": "c"}},
			"network_interface": []any{map[string]any{"name": "default"}},
		})
	}
	c.begin()
	planned, _ := c.planFor(machine("Halted"))
	if c.applyPlan(machine("Halted"), planned); c.failed != "" {
		t.Fatalf("the machine is not made: %q: %s", c.failed, c.details)
	}
	planned, _ = c.planFor(machine("Always"))
	if c.failed != "" {
		t.Fatalf("the plan to start it ends with %q: %s", c.failed, c.details)
	}
	cluster.put(imagesPath+"b", imageOf("Unknown", false))
	written := len(cluster.written())
	if c.applyPlan(machine("Always"), planned); c.failed != "Image is not ready" || len(cluster.written()) != written {
		t.Errorf("starting it ends with %q: %s; wrote %q", c.failed, c.details, cluster.written()[written:])
	}
	c = courseIn(t, "harvester_virtualmachine", cluster, nil)
	c.begin()
	if c.planFor(machine("Halted")); c.failed != "" {
		t.Errorf("a machine that stays off ends with %q: %s", c.failed, c.details)
	}
}
