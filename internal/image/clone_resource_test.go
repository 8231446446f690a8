// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package image_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/terraform"
	"github.com/hashicorp/terraform-plugin-testing/tfjsonpath"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/harvester-community/terraform-provider-harvester/internal/acctest"
	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/imagestate"
)

// clone is the configuration of an encrypted or decrypted image; source is an expression.
func clone(operation, name, source, more string) string {
	return fmt.Sprintf(`
resource "harvester_%[1]s_image" "test" {
  name         = %[2]q
  display_name = %[2]q
  source_image = %[3]s
  %[4]s
}
`, operation, name, source, more)
}

func withClass(class string) string { return fmt.Sprintf("storage_class_name = %q", class) }

func literal(name string) string { return fmt.Sprintf("\"default/%s\"", name) }

// content downloads an image.
func content(t *testing.T, cluster *acctest.Cluster, name string) []byte {
	t.Helper()
	address := cluster.Client.ImageURL("default", name).JoinPath("download")
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address.String(), http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := cluster.Client.Transfers().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	unpacked, err := gzip.NewReader(resp.Body)
	if err != nil {
		t.Fatalf("%s: %v", resp.Status, err)
	}
	data, err := io.ReadAll(unpacked)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestAccEncryptedImage_roundTrip(t *testing.T) {
	t.Parallel()
	cluster, name := acctest.Shared(t), acctest.Name(t)
	class := cluster.EncryptedClass(t)
	path, original := acctest.RawImage(t, 1<<20)
	const encrypted, decrypted = "harvester_encrypted_image.test", "harvester_decrypted_image.test"
	both := func(more string) string {
		return upload(name, path, "") + clone("encrypted", name+"-e", "harvester_image.test.id", withClass(class)+"\n  "+more) +
			clone("decrypted", name+"-d", encrypted+".id", more)
	}
	value := func(address, attribute string, check knownvalue.Check) statecheck.StateCheck {
		return statecheck.ExpectKnownValue(address, tfjsonpath.New(attribute), check)
	}
	inPlace := resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{
		plancheck.ExpectResourceAction(encrypted, plancheck.ResourceActionUpdate), plancheck.ExpectResourceAction(decrypted, plancheck.ResourceActionUpdate),
		plancheck.ExpectResourceAction(address, plancheck.ResourceActionNoop),
	}}
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy:             gone(cluster, name+"-e"),
		Steps: []resource.TestStep{
			{
				Config: both(`labels = { team = "blue" }`),
				ConfigStateChecks: []statecheck.StateCheck{
					value(encrypted, "id", knownvalue.StringExact("default/"+name+"-e")),
					value(encrypted, "source_image", knownvalue.StringExact("default/"+name)),
					value(encrypted, "state", knownvalue.StringExact("Active")),
					value(encrypted, "progress", knownvalue.Int64Exact(100)),
					value(encrypted, "storage_class_name", knownvalue.StringExact(class)),
					value(encrypted, "storage_class_parameters", knownvalue.MapPartial(map[string]knownvalue.Check{"encrypted": knownvalue.StringExact("true")})),
					value(encrypted, "volume_storage_class_name", knownvalue.StringRegexp(regexp.MustCompile(`^lh-`))),
					value(decrypted, "state", knownvalue.StringExact("Active")),
					value(decrypted, "size", knownvalue.Int64Exact(1<<20)),
					value(decrypted, "storage_class_name", knownvalue.StringExact("harvester-longhorn")),
				},
				Check: func(*terraform.State) error {
					if !bytes.Equal(content(t, cluster, name+"-d"), original) {
						return fmt.Errorf("what was encrypted and decrypted is not what was uploaded")
					}
					return nil
				},
			},
			{
				Config: both("labels = { team = \"red\" }\n  tags = { os = \"linux\" }\n  description = \"changed\"\n  retry = 5"), ConfigPlanChecks: inPlace,
				ConfigStateChecks: []statecheck.StateCheck{
					value(encrypted, "retry", knownvalue.Int64Exact(5)), value(decrypted, "description", knownvalue.StringExact("changed")),
				},
			},
			{ResourceName: encrypted, ImportState: true, ImportStateVerify: true},
			{ResourceName: decrypted, ImportState: true, ImportStateVerify: true},
			{
				ResourceName: encrypted, ImportState: true, ImportStateId: "default/" + name + "-d",
				ExpectError: acctest.Said(`Image of another kind.*decrypting\s+another\s+image.*terraform import\s+harvester_decrypted_image`),
			},
			{
				ResourceName: decrypted, ImportState: true, ImportStateId: "default/" + name,
				ExpectError: acctest.Said(`Image of another kind.*terraform import harvester_image\.<name>`),
			},
			{ // a new source is a new copy, and a copy of that
				Config: strings.Replace(both(""), `"`+name+`.img"`, `"`+name+`-2.img"`, 1),
				ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{
					plancheck.ExpectResourceAction(encrypted, plancheck.ResourceActionReplace), plancheck.ExpectResourceAction(decrypted, plancheck.ResourceActionReplace),
				}},
			},
		},
	})
}

// cdi makes an image of the backend cdi.
func cdi(t *testing.T, cluster *acctest.Cluster, name string) {
	t.Helper()
	_, err := cluster.Images.Create(t.Context(), "default", &api.VirtualMachineImage{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name, Annotations: map[string]string{api.AnnotationStorageClassName: "harvester-longhorn"}},
		Spec:       api.VirtualMachineImageSpec{DisplayName: name, SourceType: api.SourceUpload, Backend: api.BackendCDI},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cluster.Images.Delete(context.Background(), "default", name, "") })
}

// ready makes a complete image of the given operation, "" for an uploaded one.
func ready(t *testing.T, cluster *acctest.Cluster, name, operation, class string) {
	t.Helper()
	source := name
	if operation != "" {
		source += "-source"
	}
	cluster.Uploaded(t, source, 1<<20)
	if operation == "" {
		return
	}
	makeCopy(t, cluster, name, operation, source, class)
	cluster.Await(t, name, imagestate.Image.Ready)
}

// makeCopy begins an encrypted or decrypted image by other hands than Terraform's.
func makeCopy(t *testing.T, cluster *acctest.Cluster, name, operation, source, class string) {
	t.Helper()
	image := &api.VirtualMachineImage{
		ObjectMeta: acctest.Meta("default", name),
		Spec: api.VirtualMachineImageSpec{DisplayName: name, SourceType: api.SourceClone, SecurityParameters: &api.ImageSecurityParameters{
			CryptoOperation: operation, SourceImageName: source, SourceImageNamespace: "default",
		}},
	}
	if class != "" {
		image.Annotations = map[string]string{api.AnnotationStorageClassName: class}
	}
	if _, err := cluster.Images.Create(t.Context(), "default", image); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cluster.Images.Delete(context.Background(), "default", name, "") })
}

// spoil changes a key of the secret behind a class; nil removes it. Harvester looks at it only when the class is made.
func spoil(t *testing.T, cluster *acctest.Cluster, secret, key string, value any) {
	t.Helper()
	patch := fmt.Sprintf(`{"data":{%q:null}}`, key)
	if value != nil {
		patch = fmt.Sprintf(`{"stringData":{%q:%q}}`, key, value)
	}
	_, err := cluster.Client.Dynamic().Resource(api.Secrets).Namespace("default").
		Patch(t.Context(), secret, types.MergePatchType, []byte(patch), metav1.PatchOptions{})
	if err != nil {
		t.Fatal(err)
	}
}

// plainClass makes a class without encryption.
func plainClass(t *testing.T, cluster *acctest.Cluster) (class string) {
	t.Helper()
	class = acctest.Name(t)
	cluster.Apply(t, api.StorageClasses, "", map[string]any{
		"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": map[string]any{"name": class},
		"provisioner": "driver.longhorn.io", "reclaimPolicy": "Delete", "volumeBindingMode": "Immediate",
		"parameters": map[string]any{"numberOfReplicas": "1", "staleReplicaTimeout": "30", "migratable": "true"},
	})
	return class
}

// volumeClass is the class that Harvester made for the volumes of an image.
func volumeClass(t *testing.T, cluster *acctest.Cluster, name string) string {
	t.Helper()
	image, err := cluster.Images.Get(t.Context(), "default", name)
	if err != nil {
		t.Fatal(err)
	}
	return image.Status.StorageClassName
}

// refusal is one thing that is wrong with a clone. It is arranged around an image "name" (to be made)
// and a good class, and returns the class to use.
type refusal struct {
	operation string
	arrange   func(t *testing.T, name, class string) (use string)
	wants     string
	atApply   bool // the plan only warns: the run may make what is missing
}

func refusals(cluster *acctest.Cluster) map[string]refusal {
	// source arranges the image, and leaves the class as it is.
	source := func(arrange func(t *testing.T, name string)) func(*testing.T, string, string) string {
		return func(t *testing.T, name, class string) string { t.Helper(); arrange(t, name); return class }
	}
	// class arranges the class or its secret, below an image that is right.
	class := func(made string, arrange func(t *testing.T, name, class string) string) func(*testing.T, string, string) string {
		return func(t *testing.T, name, class string) string {
			t.Helper()
			ready(t, cluster, name, made, class)
			return arrange(t, name, class)
		}
	}
	secret := func(made string, spoil func(t *testing.T, secret string)) func(*testing.T, string, string) string {
		return class(made, func(t *testing.T, _, class string) string { t.Helper(); spoil(t, class); return class })
	}
	without := func(key string) func(*testing.T, string) {
		return func(t *testing.T, name string) { t.Helper(); spoil(t, cluster, name, key, nil) }
	}
	return map[string]refusal{
		"missing":           {operation: "encrypted", arrange: source(func(*testing.T, string) {}), wants: `Image not found.*Cannot encrypt the image\..*does not exist`},
		"waiting":           {operation: "encrypted", arrange: source(cluster.Pending), wants: `Image is not ready.*Uploading, 0 %.*nobody`},
		"uploading":         {operation: "encrypted", arrange: source(func(t *testing.T, name string) { t.Helper(); cluster.HeldUpload(t, name, 40) }), wants: `Image is not ready.*Uploading, \d+ %.*Wait until`},
		"failed":            {operation: "encrypted", arrange: source(func(t *testing.T, name string) { t.Helper(); cluster.Failed(t, name, "disk on fire") }), wants: `Image import failed.*disk on fire`},
		"deleting":          {operation: "encrypted", arrange: source(cluster.Deleting), wants: `Image is being deleted`},
		"backend cdi":       {operation: "encrypted", arrange: source(func(t *testing.T, name string) { t.Helper(); cdi(t, cluster, name) }), wants: `Backend cannot encrypt or decrypt.*has the backend cdi`},
		"already encrypted": {operation: "encrypted", arrange: secret("encrypt", func(*testing.T, string) {}), wants: `Image is encrypted.*encrypted already`},
		"not encrypted":     {operation: "decrypted", arrange: source(func(t *testing.T, name string) { t.Helper(); ready(t, cluster, name, "", "") }), wants: `Image is not encrypted.*nothing to decrypt`},
		"decrypted already": {operation: "decrypted", arrange: source(func(t *testing.T, name string) {
			t.Helper()
			ready(t, cluster, name+"-e", "encrypt", cluster.EncryptedClass(t))
			makeCopy(t, cluster, name, api.CryptoDecrypt, name+"-e", "")
			cluster.Await(t, name, imagestate.Image.Ready)
		}), wants: `Image is not encrypted`},

		"no such class": {
			operation: "encrypted", atApply: true, wants: `Storage class not found.*"nowhere" does not exist.*Nothing was created`,
			arrange: class("", func(*testing.T, string, string) string { return "nowhere" }),
		},
		"class without encryption": {
			operation: "encrypted", wants: `Storage class is not for encryption.*demands that its parameter encrypted is "true"`,
			arrange: class("", func(t *testing.T, _, _ string) string { t.Helper(); return plainClass(t, cluster) }),
		},
		"class of an image": {
			operation: "encrypted", wants: `Storage class belongs to an image.*backing image vmi-`,
			arrange: class("", func(t *testing.T, name, _ string) string { t.Helper(); return volumeClass(t, cluster, name) }),
		},
		"secret without a cipher":     {operation: "encrypted", arrange: secret("", without("CRYPTO_KEY_CIPHER")), wants: `Encryption secret not usable.*CRYPTO_KEY_CIPHER is missing; it must be aes-xts-plain, `},
		"secret without a passphrase": {operation: "encrypted", arrange: secret("", without("CRYPTO_KEY_VALUE")), wants: `Encryption secret not usable.*the passphrase, is missing`},
		"secret with a wrong hash": {
			operation: "encrypted", wants: `Encryption secret not usable.*CRYPTO_KEY_HASH must be sha256, sha384 or sha512`,
			arrange: secret("", func(t *testing.T, secret string) { t.Helper(); spoil(t, cluster, secret, "CRYPTO_KEY_HASH", "md5") }),
		},
		"secret was spoiled": {
			operation: "decrypted", wants: `Encryption secret not usable.*source_image.*CRYPTO_PBKDF is missing`,
			arrange: class("encrypt", func(t *testing.T, _, class string) string {
				t.Helper()
				spoil(t, cluster, class, "CRYPTO_PBKDF", nil)
				return ""
			}),
		},
		"class for encryption": {
			operation: "decrypted", wants: `Storage class is for encryption.*try to decrypt the volumes`,
			arrange: class("encrypt", func(_ *testing.T, _, class string) string { return class }),
		},
	}
}

func TestAccEncryptedImage_refused(t *testing.T) {
	t.Parallel()
	cluster := acctest.Shared(t)
	for label, test := range refusals(cluster) {
		t.Run(label, func(t *testing.T) {
			t.Parallel()
			name := acctest.Name(t)
			more := ""
			if class := test.arrange(t, name, cluster.EncryptedClass(t)); class != "" {
				more = withClass(class)
			}
			config := clone(test.operation, name+"-copy", literal(name), more)
			steps := []resource.TestStep{{Config: config, PlanOnly: !test.atApply, ExpectError: acctest.Said(test.wants)}}
			if test.atApply {
				steps = append([]resource.TestStep{{Config: config, PlanOnly: true, ExpectNonEmptyPlan: true}}, steps...)
			}
			resource.Test(t, resource.TestCase{
				ProtoV6ProviderFactories: acctest.Factories, CheckDestroy: gone(cluster, name+"-copy"), Steps: steps,
			})
		})
	}
}

// The same checks hold for harvester_image with security_parameters.
func TestAccImage_cloneRefused(t *testing.T) {
	t.Parallel()
	cluster := acctest.Shared(t)
	for label, test := range refusals(cluster) {
		if test.atApply || test.operation == "decrypted" {
			continue
		}
		t.Run(label, func(t *testing.T) {
			t.Parallel()
			name := acctest.Name(t)
			class := test.arrange(t, name, cluster.EncryptedClass(t))
			config := fmt.Sprintf(`
resource "harvester_image" "test" {
  name               = "%[1]s-copy"
  display_name       = "%[1]s-copy"
  source_type        = "clone"
  storage_class_name = %[2]q
  security_parameters = {
    crypto_operation       = "encrypt"
    source_image_name      = %[1]q
    source_image_namespace = "default"
  }
}
`, name, class)
			resource.Test(t, resource.TestCase{
				ProtoV6ProviderFactories: acctest.Factories, CheckDestroy: gone(cluster, name+"-copy"),
				Steps: []resource.TestStep{{Config: config, PlanOnly: true, ExpectError: acctest.Said(test.wants)}},
			})
		})
	}
}

// between is a step between plan and apply.
type between func()

func (b between) CheckPlan(context.Context, plancheck.CheckPlanRequest, *plancheck.CheckPlanResponse) {
	b()
}

// The secret is spoiled after the plan: nothing is made.
func TestAccEncryptedImage_looksAgainAtApply(t *testing.T) {
	t.Parallel()
	cluster, name := acctest.Shared(t), acctest.Name(t)
	class := cluster.EncryptedClass(t)
	ready(t, cluster, name, "", "")
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy:             gone(cluster, name+"-copy"),
		Steps: []resource.TestStep{{
			Config: clone("encrypted", name+"-copy", literal(name), withClass(class)),
			ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{between(func() {
				spoil(t, cluster, class, "CRYPTO_KEY_SIZE", nil)
			})}},
			ExpectError: acctest.Said(`Encryption secret not usable.*CRYPTO_KEY_SIZE is missing`),
		}},
	})
}

// Harvester fails when copies of one source are made at the same time.
func TestAccEncryptedImage_oneAfterTheOther(t *testing.T) {
	t.Parallel()
	cluster, name := acctest.Shared(t), acctest.Name(t)
	class := cluster.EncryptedClass(t)
	ready(t, cluster, name, "", "")
	const copies = 4
	half := 50
	for i := range copies {
		cluster.SetFault(t, fmt.Sprintf("%s-%d", name, i), acctest.Fault{HoldProgress: &half})
	}
	most := 0
	ctx, stop := context.WithCancel(t.Context())
	observed := make(chan struct{})
	go func() {
		defer close(observed)
		for ctx.Err() == nil {
			most = max(most, letGo(ctx, t, cluster, name))
			time.Sleep(100 * time.Millisecond)
		}
	}()
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		Steps: []resource.TestStep{{Config: fmt.Sprintf(`
resource "harvester_encrypted_image" "test" {
  count              = %[3]d
  name               = "%[1]s-${count.index}"
  display_name       = "%[1]s-${count.index}"
  source_image       = "default/%[1]s"
  storage_class_name = %[2]q
}
`, name, class, copies)}},
	})
	stop()
	if <-observed; most != 1 {
		t.Errorf("%d copies were made at the same time", most)
	}
}

// letGo ends the hold on the copies that have begun, and returns how many are unfinished.
func letGo(ctx context.Context, t *testing.T, cluster *acctest.Cluster, name string) (unfinished int) {
	t.Helper()
	images, err := cluster.Images.List(ctx, "default", "")
	if err != nil {
		return 0
	}
	for i := range images {
		state := imagestate.Of(&images[i])
		if !strings.HasPrefix(state.Name, name+"-") || state.SourceType != api.SourceClone || state.State == imagestate.Active || state.State == imagestate.Terminating {
			continue
		}
		unfinished++
		if state.Progress > 0 {
			cluster.ClearFault(t, state.Name)
		}
	}
	return unfinished
}

// An apply that was killed leaves a copy that no state knows. The next one takes it over, if the
// source is still the same.
func TestAccEncryptedImage_takesOverItsOwn(t *testing.T) {
	t.Parallel()
	cluster, name := acctest.Shared(t), acctest.Name(t)
	class := cluster.EncryptedClass(t)
	ready(t, cluster, name, "", "")
	config := clone("encrypted", name+"-copy", literal(name), withClass(class))
	forget := "removed {\n  from = harvester_encrypted_image.test\n  lifecycle { destroy = false }\n}"
	abandon := cluster.WatchMark(t, api.Images, "default", name+"-copy")
	var uid types.UID
	same := func(*terraform.State) error {
		image, err := cluster.Images.Get(t.Context(), "default", name+"-copy")
		if err == nil && uid != "" && image.UID != uid {
			err = fmt.Errorf("the image was made anew")
		}
		if err == nil {
			uid = image.UID
		}
		return err
	}
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy:             gone(cluster, name+"-copy"),
		Steps: []resource.TestStep{
			{Config: config, Check: same},
			{Config: forget},
			{Config: config, ExpectError: acctest.Said(`Image already exists.*terraform import harvester_encrypted_image`)},
			{PreConfig: abandon, Config: config, Check: same},
			{Config: forget},
			{
				PreConfig: func() {
					abandon()
					deleteImage(t, cluster, name)
					ready(t, cluster, name, "", "")
				},
				Config: config, ExpectError: acctest.Said(`Image already exists.*terraform import harvester_encrypted_image`),
			},
			{PreConfig: func() { deleteImage(t, cluster, name+"-copy") }, Config: config},
			{ // another image in its place stays there
				PreConfig: func() {
					deleteImage(t, cluster, name+"-copy")
					cluster.Uploaded(t, name+"-copy", 4096)
				},
				Config: config,
				ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{
					plancheck.ExpectResourceAction("harvester_encrypted_image.test", plancheck.ResourceActionReplace),
				}},
				ExpectError: acctest.Said(`Image already exists`),
			},
		},
	})
}

// A copy that vanished is made anew; one that is not complete is finished.
func TestAccDecryptedImage_convergesAfterTrouble(t *testing.T) {
	t.Parallel()
	cluster, name := acctest.Shared(t), acctest.Name(t)
	class := cluster.EncryptedClass(t)
	ready(t, cluster, name, api.CryptoEncrypt, class)
	config := func(more string) string { return clone("decrypted", name+"-copy", literal(name), more) }
	half := 50
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		Steps: []resource.TestStep{
			{
				PreConfig: func() { cluster.SetFault(t, name+"-copy", acctest.Fault{HoldProgress: &half}) },
				Config:    config("timeouts { create = \"6s\" }"), ExpectError: acctest.Said(`Timed out|time limit`),
			},
			{PreConfig: func() { cluster.ClearFault(t, name+"-copy") }, Config: config("")},
			{
				PreConfig: func() { deleteImage(t, cluster, name+"-copy") }, Config: config(""),
				ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{
					plancheck.ExpectResourceAction("harvester_decrypted_image.test", plancheck.ResourceActionCreate),
				}},
			},
			{ // the key was changed, and changed back
				PreConfig: func() { spoil(t, cluster, class, "CRYPTO_KEY_VALUE", "other") }, Config: config("retry = 0"), Taint: []string{"harvester_decrypted_image.test"},
				ExpectError: acctest.Said(`Image import failed.*Put the old CRYPTO_KEY_VALUE back`),
			},
			{PreConfig: func() { spoil(t, cluster, class, "CRYPTO_KEY_VALUE", "a long passphrase") }, Config: config("")},
			{ // somebody else began one in its place
				PreConfig: func() {
					deleteImage(t, cluster, name+"-copy")
					cluster.SetFault(t, name+"-copy", acctest.Fault{HoldProgress: &half})
					makeCopy(t, cluster, name+"-copy", api.CryptoDecrypt, name, "")
					cluster.Await(t, name+"-copy", func(i imagestate.Image) bool { return i.State == imagestate.Cloning })
				},
				Config: config(""), ExpectError: acctest.Said(`Made anew by others.*was left as it is`),
			},
			{Config: "removed {\n  from = harvester_decrypted_image.test\n  lifecycle { destroy = false }\n}"},
			{ // what is imported while it is incomplete is finished
				Config: config("") + fmt.Sprintf("import {\n  to = harvester_decrypted_image.test\n  id = \"default/%s-copy\"\n}\n", name),
				ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{
					plancheck.ExpectResourceAction("harvester_decrypted_image.test", plancheck.ResourceActionUpdate),
					between(func() { cluster.ClearFault(t, name+"-copy") }),
				}},
				ConfigStateChecks: []statecheck.StateCheck{statecheck.ExpectKnownValue("harvester_decrypted_image.test", tfjsonpath.New("state"), knownvalue.StringExact("Active"))},
			},
			{Config: config(""), Destroy: true, Check: func(*terraform.State) error {
				if _, err := cluster.Images.Get(t.Context(), "default", name); apierrors.IsNotFound(err) {
					return fmt.Errorf("the source went, too")
				}
				return nil
			}},
		},
	})
}

// An uploaded image is not encrypted by its class, so its volumes could not be opened.
func TestAccImage_uploadWithAnEncryptedClassWarns(t *testing.T) {
	t.Parallel()
	cluster, name := acctest.Shared(t), acctest.Name(t)
	path, _ := acctest.RawImage(t, 4096)
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		Steps:                    []resource.TestStep{{Config: upload(name, path, withClass(cluster.EncryptedClass(t)))}},
	})
}
