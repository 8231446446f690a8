// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package image_test

import (
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"os"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/terraform"
	"github.com/klauspost/compress/zstd"

	"github.com/harvester-community/terraform-provider-harvester/internal/acctest"
	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/imagestate"
)

func sumOf(content []byte) string {
	sum := sha512.Sum512(content)
	return hex.EncodeToString(sum[:])
}

// expecting checks which checksum Harvester was told to expect ("" for none), and that nothing is left to verify.
func expecting(t *testing.T, cluster *acctest.Cluster, name, checksum string) resource.TestCheckFunc {
	t.Helper()
	return func(*terraform.State) error {
		image, err := cluster.Images.Get(t.Context(), "default", name)
		switch {
		case err != nil:
			return err
		case image.Spec.Checksum != checksum:
			return fmt.Errorf("Harvester was told to expect %q, want %q", image.Spec.Checksum, checksum)
		case image.Unverified() || !imagestate.Of(image).Ready():
			return fmt.Errorf("the image is %s, with %v", imagestate.Of(image).Status(), image.Annotations)
		}
		return nil
	}
}

// A file that was not read before is hashed while it is sent; one that was read goes along with its checksum.
func TestAccImage_hashedWhileItIsSent(t *testing.T) {
	t.Parallel()
	cluster, name := acctest.Shared(t), acctest.Name(t)
	path, content := acctest.RawImage(t, 1<<20)
	is := []statecheck.StateCheck{expect("file_sha512", knownvalue.StringExact(sumOf(content))), expect("state", knownvalue.StringExact("Active"))}
	again := func(verify string) string {
		return upload(name, path, verify) + named("again", name+"-again", name+"-again", path, "")
	}
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy:             gone(cluster, name),
		Steps: []resource.TestStep{
			{Config: upload(name, path, ""), ConfigStateChecks: is, Check: expecting(t, cluster, name, "")},
			{Config: again(""), Check: expecting(t, cluster, name+"-again", sumOf(content))},
			{Config: again(`verify = "strict"`), ConfigPlanChecks: planned(plancheck.ResourceActionUpdate), ConfigStateChecks: is},
			{Config: again(`verify = "auto"`), ConfigPlanChecks: planned(plancheck.ResourceActionUpdate), ConfigStateChecks: is},
		},
	})
}

func TestAccImage_hashedBefore(t *testing.T) {
	t.Parallel()
	cluster, name := acctest.Shared(t), acctest.Name(t)
	path, content := acctest.RawImage(t, 1<<20)
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy:             gone(cluster, name),
		Steps: []resource.TestStep{{
			Config: upload(name, path, `verify = "strict"`), Check: expecting(t, cluster, name, sumOf(content)),
			ConfigStateChecks: []statecheck.StateCheck{expect("file_sha512", knownvalue.StringExact(sumOf(content)))},
		}},
	})
}

// A packed file that states its length is unpacked once, while it is sent.
func TestAccImage_unpackedWhileItIsSent(t *testing.T) {
	t.Parallel()
	cluster, name := acctest.Shared(t), acctest.Name(t)
	path, content := acctest.RawImage(t, 1<<20+1)
	encoder, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, encoder.EncodeAll(content, nil), 0o600); err != nil {
		t.Fatal(err)
	}
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy:             gone(cluster, name),
		Steps: []resource.TestStep{{
			Config: upload(name, path, ""), Check: expecting(t, cluster, name, ""), ConfigStateChecks: []statecheck.StateCheck{
				expect("size", knownvalue.Int64Exact(1<<20+512)), expect("file_sha512", knownvalue.StringExact(sumOf(append(content, make([]byte, 511)...)))),
			},
		}},
	})
}

// What is stored must be what was sent.
func TestAccImage_storedDamaged(t *testing.T) {
	t.Parallel()
	cluster, name := acctest.Shared(t), acctest.Name(t)
	path, _ := acctest.RawImage(t, 1<<20)
	cluster.SetFault(t, name, acctest.Fault{CorruptStored: true})
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy:             gone(cluster, name),
		Steps: []resource.TestStep{
			{Config: upload(name, path, ""), ExpectError: acctest.Said(`Image is not what was sent.*what arrived is not what was sent.*The image was deleted.*bad disk`)},
			{
				PreConfig: func() { cluster.ClearFault(t, name) }, Config: upload(name, path, ""),
				ConfigPlanChecks: planned(plancheck.ResourceActionCreate), Check: expecting(t, cluster, name, ""),
			},
		},
	})
}

// An image that a killed run left to be verified is verified by the next apply. Until then nothing is made from it.
func TestAccImage_verifiesWhatWasLeft(t *testing.T) {
	t.Parallel()
	cluster := acctest.Shared(t)
	for backend, more := range map[string]string{api.BackendBackingImage: "", api.BackendCDI: "backend = \"cdi\"\n  storage_class_name = \"harvester-longhorn\""} {
		t.Run(backend, func(t *testing.T) {
			t.Parallel()
			name := acctest.Name(t)
			path, _ := acctest.RawImage(t, 1<<20)
			abandon := cluster.WatchMark(t, api.Images, "default", name)
			mark := func() {
				patch := map[string]any{"metadata": map[string]any{"annotations": map[string]any{api.AnnotationUnverified: "true"}}}
				if _, err := cluster.Images.Patch(t.Context(), "default", name, patch); err != nil {
					t.Fatal(err)
				}
			}
			use := fmt.Sprintf("data \"harvester_image\" \"other\" {\n  name = %q\n  require_ready = true\n}\n", name)
			resource.Test(t, resource.TestCase{
				ProtoV6ProviderFactories: acctest.Factories,
				CheckDestroy:             gone(cluster, name),
				Steps: []resource.TestStep{
					{Config: upload(name, path, more)},
					{PreConfig: mark, Config: use, PlanOnly: true, ExpectError: acctest.Said(`Image is not ready.*is being verified`)},
					{
						Config: upload(name, path, more), ConfigPlanChecks: planned(plancheck.ResourceActionUpdate),
						ConfigStateChecks: []statecheck.StateCheck{expect("state", knownvalue.StringExact("Active"))},
						Check:             expecting(t, cluster, name, ""),
					},
					{Config: "removed {\n  from = harvester_image.test\n  lifecycle { destroy = false }\n}\n"},
					{ // killed before it was verified
						PreConfig: func() { mark(); abandon() }, Config: upload(name, path, more),
						ConfigPlanChecks: planned(plancheck.ResourceActionCreate), Check: expecting(t, cluster, name, ""),
					},
					{Config: "removed {\n  from = harvester_image.test\n  lifecycle { destroy = false }\n}\n"},
					{ // killed after it was verified
						PreConfig: abandon, Config: upload(name, path, more),
						ConfigPlanChecks: planned(plancheck.ResourceActionCreate), Check: expecting(t, cluster, name, ""),
					},
				},
			})
		})
	}
}
