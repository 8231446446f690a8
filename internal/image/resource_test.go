// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package image_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/terraform"
	"github.com/hashicorp/terraform-plugin-testing/tfjsonpath"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/harvester-community/terraform-provider-harvester/internal/acctest"
	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/imagestate"
	"github.com/harvester-community/terraform-provider-harvester/internal/qcow2img"
)

const address = "harvester_image.test"

// upload is the configuration of an uploaded image with more arguments at the end.
func upload(name, path, more string) string {
	return fmt.Sprintf(`
resource "harvester_image" "test" {
  name         = %[1]q
  display_name = "%[1]s.img"
  source_type  = "upload"
  file_path    = %[2]q
  %[3]s
}
`, name, path, more)
}

func expect(attribute string, value knownvalue.Check) statecheck.StateCheck {
	return statecheck.ExpectKnownValue(address, tfjsonpath.New(attribute), value)
}

func planned(action plancheck.ResourceActionType) resource.ConfigPlanChecks {
	return resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{plancheck.ExpectResourceAction(address, action)}}
}

// gone checks that the image is not in the cluster any more.
func gone(cluster *acctest.Cluster, name string) func(*terraform.State) error {
	return func(*terraform.State) error {
		_, err := cluster.Images.Get(context.Background(), "default", name)
		if !apierrors.IsNotFound(err) {
			return fmt.Errorf("the image %s is still there (or: %w)", name, err)
		}
		return nil
	}
}

func TestAccImage_upload(t *testing.T) {
	t.Parallel()
	cluster, name := acctest.Shared(t), acctest.Name(t)
	path, _ := acctest.RawImage(t, 3<<20+100) // no multiple of 512
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy:             gone(cluster, name),
		Steps: []resource.TestStep{
			{
				Config: upload(name, path, `labels = { team = "blue" }
  tags = { os = "linux", gone = "soon" }`),
				ConfigStateChecks: []statecheck.StateCheck{
					expect("id", knownvalue.StringExact("default/"+name)),
					expect("state", knownvalue.StringExact("Active")),
					expect("progress", knownvalue.Int64Exact(100)),
					expect("size", knownvalue.Int64Exact(3<<20+512)),
					expect("virtual_size", knownvalue.Int64Exact(3<<20+512)),
					expect("storage_class_name", knownvalue.StringExact("harvester-longhorn")),
					expect("volume_storage_class_name", knownvalue.StringRegexp(regexp.MustCompile(`^lh-`))),
					expect("retry", knownvalue.Int64Exact(3)),
				},
			},
			{ // others' labels and annotations survive changes in place
				PreConfig: func() {
					patch := map[string]any{"metadata": map[string]any{
						"labels": map[string]any{"other": "owner"}, "annotations": map[string]any{"other/note": "kept"},
					}}
					if _, err := cluster.Images.Patch(t.Context(), "default", name, patch); err != nil {
						t.Fatal(err)
					}
				},
				Config: upload(name, path, `labels = { team = "red" }
  tags        = { os = "linux" }
  description = "changed"
  retry       = 5`),
				ConfigPlanChecks:  planned(plancheck.ResourceActionUpdate),
				ConfigStateChecks: []statecheck.StateCheck{expect("description", knownvalue.StringExact("changed")), expect("retry", knownvalue.Int64Exact(5))},
				Check: func(*terraform.State) error {
					image, err := cluster.Images.Get(t.Context(), "default", name)
					if err != nil {
						return err
					}
					got := fmt.Sprintln(image.Labels["team"], image.Labels["other"], image.Labels["tag.harvesterhci.io/gone"],
						image.Annotations["other/note"], image.Annotations[api.AnnotationDescription], *image.Spec.Retry)
					if want := "red owner  kept changed 5\n"; got != want {
						return fmt.Errorf("got %q, want %q", got, want)
					}
					return nil
				},
			},
			{ // what is removed from the configuration goes away
				Config:            upload(name, path, ""),
				ConfigPlanChecks:  planned(plancheck.ResourceActionUpdate),
				ConfigStateChecks: []statecheck.StateCheck{expect("description", knownvalue.Null()), expect("labels", knownvalue.Null())},
			},
			{
				ResourceName: address, ImportState: true, ImportStateVerify: true,
				// The path is not the cluster's to know; the foreign label is adopted by an import.
				ImportStateVerifyIgnore: []string{"file_path", "file_sha512", "checksum", "labels.%", "labels.other"},
			},
			{ // a new display name needs a new image
				Config:           strings.Replace(upload(name, path, ""), ".img\"", "-2.img\"", 1),
				ConfigPlanChecks: planned(plancheck.ResourceActionReplace),
			},
		},
	})
}

func TestAccImage_importedWithPathIsNotReplaced(t *testing.T) {
	t.Parallel()
	acctest.Shared(t)
	name := acctest.Name(t)
	path, content := acctest.RawImage(t, 1<<20)
	sum := sha512.Sum512(content)
	config := upload(name, path, fmt.Sprintf("checksum = %q", hex.EncodeToString(sum[:])))
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		Steps: []resource.TestStep{
			{Config: config},
			{Config: `removed {
  from = harvester_image.test
  lifecycle { destroy = false }
}`},
			{
				Config: config + fmt.Sprintf(`
import {
  to = harvester_image.test
  id = "default/%s"
}`, name),
				ConfigPlanChecks: planned(plancheck.ResourceActionUpdate),
			},
			{Config: upload(name, path, ""), ConfigPlanChecks: planned(plancheck.ResourceActionUpdate)},
		},
	})
}

func TestAccImage_download(t *testing.T) {
	t.Parallel()
	cluster, name := acctest.Shared(t), acctest.Name(t)
	path, _ := acctest.RawImage(t, 2<<20)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/disk.img" {
			http.ServeFile(w, r, path)
			return
		}
		http.NotFound(w, r)
	}))
	t.Cleanup(server.Close)
	config := func(file string) string {
		return fmt.Sprintf(`
resource "harvester_image" "test" {
  name         = %[1]q
  display_name = %[1]q
  source_type  = "download"
  url          = "%[2]s/%[3]s"
  retry        = 0
}
`, name, server.URL, file)
	}
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy:             gone(cluster, name),
		Steps: []resource.TestStep{
			{Config: config("missing.img"), ExpectError: acctest.Said(`Image import failed.*404.*the cluster\s+itself`)},
			{Config: config("disk.img"), ConfigStateChecks: []statecheck.StateCheck{
				expect("state", knownvalue.StringExact("Active")), expect("size", knownvalue.Int64Exact(2<<20)),
			}},
			{ResourceName: address, ImportState: true, ImportStateVerify: true},
		},
	})
}

// The backend cdi stores the disk of a qcow2 file, and its proxies lose patience
// while it converts.
func TestAccImage_cdi(t *testing.T) {
	t.Parallel()
	cluster := acctest.Shared(t)
	const disk = 8 << 20
	for label, test := range map[string]struct {
		fault acctest.Fault
		write func(path string) error
	}{
		"raw":                         {write: func(path string) error { return os.WriteFile(path, bytes.Repeat([]byte("disk"), disk/4), 0o600) }},
		"qcow2":                       {write: writeQCOW2},
		"qcow2, 504 while it convert": {write: writeQCOW2, fault: acctest.Fault{AnswerThenFinish: true}},
	} {
		t.Run(label, func(t *testing.T) {
			t.Parallel()
			name := acctest.Name(t)
			path := filepath.Join(t.TempDir(), "disk.img")
			if err := test.write(path); err != nil {
				t.Fatal(err)
			}
			cluster.SetFault(t, name, test.fault)
			resource.Test(t, resource.TestCase{
				ProtoV6ProviderFactories: acctest.Factories,
				CheckDestroy:             gone(cluster, name),
				Steps: []resource.TestStep{{
					Config: upload(name, path, `backend = "cdi"
  storage_class_name = "harvester-longhorn"`),
					ConfigStateChecks: []statecheck.StateCheck{
						expect("state", knownvalue.StringExact("Active")), expect("virtual_size", knownvalue.Int64Exact(disk)),
					},
				}},
			})
		})
	}
}

func writeQCOW2(path string) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	_, err = qcow2img.Image{VirtualSize: 8 << 20, DataSize: 2 << 20}.WriteTo(file)
	return err
}

func TestAccImage_cloneEncryptsAndDecrypts(t *testing.T) {
	t.Parallel()
	cluster, name := acctest.Shared(t), acctest.Name(t)
	class := cluster.EncryptedClass(t)
	path, _ := acctest.RawImage(t, 1<<20)
	clone := func(label, operation, source, more string) string {
		return fmt.Sprintf(`
resource "harvester_image" %[2]q {
  name         = "%[1]s-%[2]s"
  display_name = "%[1]s-%[2]s"
  source_type  = "clone"
  security_parameters = {
    crypto_operation       = %[3]q
    source_image_name      = harvester_image.%[4]s.name
    source_image_namespace = harvester_image.%[4]s.namespace
  }
  %[5]s
}
`, name, label, operation, source, more)
	}
	withClass := fmt.Sprintf("storage_class_name = %q", class)
	both := upload(name, path, "") + clone("encrypted", "encrypt", "test", withClass) + clone("plain", "decrypt", "encrypted", "")
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy:             gone(cluster, name+"-encrypted"),
		Steps: []resource.TestStep{
			{Config: both, ConfigStateChecks: []statecheck.StateCheck{
				statecheck.ExpectKnownValue("harvester_image.encrypted", tfjsonpath.New("state"), knownvalue.StringExact("Active")),
				statecheck.ExpectKnownValue("harvester_image.plain", tfjsonpath.New("state"), knownvalue.StringExact("Active")),
				statecheck.ExpectKnownValue("harvester_image.plain", tfjsonpath.New("size"), knownvalue.Int64Exact(1<<20)),
			}},
			{ // both refusals come from the plan
				Config:      both + clone("again", "decrypt", "plain", ""),
				PlanOnly:    true,
				ExpectError: acctest.Said(`Image is not encrypted`),
			},
			{
				Config:      both + clone("again", "encrypt", "encrypted", withClass),
				PlanOnly:    true,
				ExpectError: acctest.Said(`Image is encrypted`),
			},
		},
	})
}

// A volume becomes an image, and so does a backup.
func TestAccImage_exportAndRestore(t *testing.T) {
	t.Parallel()
	cluster, name := acctest.Shared(t), acctest.Name(t)
	cluster.Apply(t, api.PersistentVolumeClaims, "default", map[string]any{
		"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": map[string]any{"name": name, "namespace": "default"},
		"spec": map[string]any{
			"accessModes": []any{"ReadWriteMany"}, "volumeMode": "Block", "storageClassName": "harvester-longhorn",
			"resources": map[string]any{"requests": map[string]any{"storage": "16Mi"}},
		},
	})
	backups := filepath.Join(cluster.Dir, "longhorn", "backups")
	if err := os.MkdirAll(backups, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(backups, name), make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	source := func(label, arguments string) string {
		return fmt.Sprintf("resource \"harvester_image\" %q {\n  name = \"%s-%s\"\n  display_name = \"%s-%s\"\n  %s\n}\n", label, name, label, name, label, arguments)
	}
	size := func(label string, bytes int64) statecheck.StateCheck {
		return statecheck.ExpectKnownValue("harvester_image."+label, tfjsonpath.New("virtual_size"), knownvalue.Int64Exact(bytes))
	}
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		Steps: []resource.TestStep{
			{
				Config: source("export", fmt.Sprintf("source_type = \"export-from-volume\"\n  pvc_namespace = \"default\"\n  pvc_name = %q", name)) +
					source("restore", fmt.Sprintf("source_type = \"restore\"\n  url = \"s3://backups@region/?backingImage=%s\"", name)),
				ConfigStateChecks: []statecheck.StateCheck{size("export", 16<<20), size("restore", 1<<20)},
			},
			{ResourceName: "harvester_image.export", ImportState: true, ImportStateVerify: true},
			{ResourceName: "harvester_image.restore", ImportState: true, ImportStateVerify: true},
		},
	})
}

func TestAccImage_refusedBeforeAnythingIsMade(t *testing.T) {
	t.Parallel()
	cluster, name := acctest.Shared(t), acctest.Name(t)
	path, _ := acctest.RawImage(t, 4096)
	good := upload(name, path, "")
	replace := func(old, updated string) string { return strings.Replace(good, old, updated, 1) }
	for label, test := range map[string]struct{ config, wants string }{
		"no path":            {regexp.MustCompile(`file_path.*`).ReplaceAllString(good, ""), `Missing file`},
		"url with upload":    {upload(name, path, `url = "https://example.com/x"`), `Argument without use`},
		"download, no url":   {strings.Replace(replace(`"upload"`, `"download"`), "file_path", "#", 1), `Missing argument(?s:.*)needs\s+url`},
		"url":                {strings.Replace(replace(`"upload"`, `"download"`), "file_path", "url = \"s3://bucket/disk.qcow2\" #", 1), `Invalid URL(?s:.*)http\s+and\s+https`},
		"checksum":           {upload(name, path, `checksum = "abc"`), `SHA-512`},
		"name":               {replace(fmt.Sprintf("%q", name), `"Not_A_Name"`), `Invalid name`},
		"source type":        {replace(`"upload"`, `"magic"`), `source_type`},
		"cdi without class":  {upload(name, path, `backend = "cdi"`), `cdi needs(?s:\s+)storage_class_name`},
		"clone, no params":   {strings.Replace(replace(`"upload"`, `"clone"`), "file_path", "#", 1), `needs\s+security_parameters`},
		"verify":             {upload(name, path, `verify = "soon"`), `verify\s+value\s+must\s+be\s+one\s+of`},
		"verify a download":  {strings.Replace(replace(`"upload"`, `"download"`), "file_path", "verify = \"strict\"\n  url = \"https://example.com/x\" #", 1), `Argument without use`},
		"timeout":            {upload(name, path, `timeouts { create = "soon" }`), `Invalid duration`},
		"reserved tag label": {upload(name, path, `labels = { "tag.harvesterhci.io/x" = "y" }`), `put it into tags`},
		"Harvester's label":  {upload(name, path, `labels = { "harvesterhci.io/imageDisplayName" = "y" }`), `Invalid label(?s:.*)set\s+this\s+label`},
	} {
		t.Run(label, func(t *testing.T) {
			t.Parallel()
			resource.Test(t, resource.TestCase{
				ProtoV6ProviderFactories: acctest.Factories,
				CheckDestroy:             gone(cluster, name),
				Steps:                    []resource.TestStep{{Config: test.config, PlanOnly: true, ExpectError: acctest.Said(test.wants)}},
			})
		})
	}
}

func TestAccImage_taken(t *testing.T) {
	t.Parallel()
	acctest.Shared(t)
	name := acctest.Name(t)
	path, _ := acctest.RawImage(t, 4096)
	other := func(name, display string) string {
		return fmt.Sprintf(`
resource "harvester_image" "other" {
  name         = %q
  display_name = %q
  source_type  = "upload"
  file_path    = %q
  depends_on   = [harvester_image.test]
}
`, name, display, path)
	}
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		Steps: []resource.TestStep{
			{Config: upload(name, path, "") + other(name, name+"-other"), ExpectError: acctest.Said(`Image already exists.*terraform import`)},
			{Config: upload(name, path, "") + other(name+"-other", name+".img"), ExpectError: acctest.Said(`Display name is taken`)},
		},
	})
}

// What counts is the content of the file.
func TestAccImage_content(t *testing.T) {
	t.Parallel()
	cluster, name := acctest.Shared(t), acctest.Name(t)
	path, content := acctest.RawImage(t, 1<<20+1)
	copied := path + ".copy"
	write := func(path string, content []byte) func() {
		return func() {
			if err := os.WriteFile(path, content, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	edited := bytes.Clone(content)
	edited[0]++
	padded := sha512.Sum512(append(bytes.Clone(content), make([]byte, 511)...))
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy:             gone(cluster, name),
		Steps: []resource.TestStep{
			{
				Config:            upload(name, path, ""),
				ConfigStateChecks: []statecheck.StateCheck{expect("file_sha512", knownvalue.StringExact(hex.EncodeToString(padded[:])))},
			},
			{PreConfig: write(copied, content), Config: upload(name, copied, ""), ConfigPlanChecks: planned(plancheck.ResourceActionUpdate)},
			{PreConfig: write(copied, content), Config: upload(name, copied, ""), PlanOnly: true}, // only the time changed
			{
				PreConfig: write(copied, edited), Config: upload(name, copied, ""),
				ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{
					plancheck.ExpectResourceAction(address, plancheck.ResourceActionReplace),
					plancheck.ExpectUnknownValue(address, tfjsonpath.New("file_sha512")),
				}},
			},
			{ // the file is not needed for anything but sending it
				PreConfig: func() {
					if err := os.Remove(copied); err != nil {
						t.Fatal(err)
					}
				},
				Config: upload(name, copied, `description = "no file"`), ConfigPlanChecks: planned(plancheck.ResourceActionUpdate),
			},
		},
	})
}

func TestAccImage_compressed(t *testing.T) {
	t.Parallel()
	acctest.Shared(t)
	name := acctest.Name(t)
	path, content := acctest.RawImage(t, 1<<20)
	var packed bytes.Buffer
	writer := gzip.NewWriter(&packed)
	_, _ = writer.Write(content)
	_ = writer.Close()
	if err := os.WriteFile(path+".gz", packed.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	sum := sha512.Sum512(content)
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		Steps: []resource.TestStep{
			{Config: upload(name, path+".gz", fmt.Sprintf("checksum = %q", hex.EncodeToString(sum[:]))), ConfigStateChecks: []statecheck.StateCheck{
				expect("size", knownvalue.Int64Exact(1<<20)), expect("file_sha512", knownvalue.StringExact(hex.EncodeToString(sum[:]))),
			}},
			{ // the same content without its packing
				Config: upload(name, path, fmt.Sprintf("checksum = %q", hex.EncodeToString(sum[:]))), ConfigPlanChecks: planned(plancheck.ResourceActionUpdate),
			},
		},
	})
}

// An apply that was killed leaves an image that no state knows. The next one with the same intent takes it over;
// a finished image is somebody's.
func TestAccImage_takesOverItsOwn(t *testing.T) {
	t.Parallel()
	cluster, name := acctest.Shared(t), acctest.Name(t)
	path, _ := acctest.RawImage(t, 1<<20)
	var uid string
	abandon := cluster.WatchMark(t, api.Images, "default", name)
	forget := `removed {
  from = harvester_image.test
  lifecycle { destroy = false }
}`
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy:             gone(cluster, name),
		Steps: []resource.TestStep{
			{Config: upload(name, path, ""), Check: func(*terraform.State) error {
				image, err := cluster.Images.Get(t.Context(), "default", name)
				uid = string(image.UID)
				return err
			}},
			{Config: forget},
			{Config: upload(name, path, ""), ExpectError: acctest.Said(`Image already exists.*terraform import harvester_image.*moved block`)},
			{ // what can change in place is changed
				PreConfig: abandon,
				Config: upload(name, path, `description = "later"
  retry = 7`), ConfigPlanChecks: planned(plancheck.ResourceActionCreate),
				Check: func(*terraform.State) error {
					image, err := cluster.Images.Get(t.Context(), "default", name)
					if err == nil && string(image.UID) != uid {
						err = fmt.Errorf("the image was made anew")
					}
					return err
				},
			},
			{Config: forget},
			{ // other content is another image
				PreConfig: func() {
					abandon()
					if err := os.WriteFile(path, make([]byte, 4096), 0o600); err != nil {
						t.Fatal(err)
					}
				},
				Config: upload(name, path, ""), ExpectError: acctest.Said(`Image already exists.*with other settings`),
			},
			{PreConfig: func() { deleteImage(t, cluster, name) }, Config: upload(name, path, "")},
		},
	})
}

// An image that vanished is planned anew; one that was left incomplete is finished in place.
func TestAccImage_convergesAfterTrouble(t *testing.T) {
	t.Parallel()
	cluster, name := acctest.Shared(t), acctest.Name(t)
	path, _ := acctest.RawImage(t, 1<<20)
	makeUnfinished := func() {
		deleteImage(t, cluster, name)
		_, err := cluster.Images.Create(t.Context(), "default", &api.VirtualMachineImage{
			ObjectMeta: acctest.Meta("default", name),
			Spec:       api.VirtualMachineImageSpec{DisplayName: name + ".img", SourceType: api.SourceUpload},
		})
		if err != nil {
			t.Fatal(err)
		}
		acctest.Eventually(t, "the image awaits data", func(ctx context.Context) bool {
			image, err := cluster.Images.Get(ctx, "default", name)
			return err == nil && imagestate.Of(image).AwaitsData
		})
	}
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		Steps: []resource.TestStep{
			{Config: upload(name, path, "")},
			{PreConfig: func() { deleteImage(t, cluster, name) }, Config: upload(name, path, ""), ConfigPlanChecks: planned(plancheck.ResourceActionCreate)},
			{PreConfig: makeUnfinished, Config: upload(name, path, ""), ExpectError: acctest.Said(`Made anew by others.*was left as it is`)},
			{Config: "removed {\n  from = harvester_image.test\n  lifecycle { destroy = false }\n}"},
			{
				Config:            upload(name, path, "") + fmt.Sprintf("import {\n  to = harvester_image.test\n  id = \"default/%s\"\n}\n", name),
				ConfigPlanChecks:  planned(plancheck.ResourceActionUpdate),
				ConfigStateChecks: []statecheck.StateCheck{expect("state", knownvalue.StringExact("Active")), expect("size", knownvalue.Int64Exact(1<<20))},
			},
		},
	})
}

func deleteImage(t *testing.T, cluster *acctest.Cluster, name string) {
	t.Helper()
	if err := cluster.Images.Delete(t.Context(), "default", name, ""); err != nil {
		t.Fatal(err)
	}
	acctest.Eventually(t, "the image is gone", func(ctx context.Context) bool {
		_, err := cluster.Images.Get(ctx, "default", name)
		return apierrors.IsNotFound(err)
	})
}

// Each fault ends in success or in a clear error, and the apply after it converges.
func TestAccImage_faults(t *testing.T) {
	t.Parallel()
	cluster := acctest.Shared(t)
	half, all := int64(1<<20), 40
	wrong := strings.Repeat("0", 128)
	for label, test := range map[string]struct {
		fault acctest.Fault
		more  string
		wants string // empty for success
	}{
		"slow":                  {fault: acctest.Fault{UploadBytesPerSecond: 1 << 20}},
		"cut in the middle":     {fault: acctest.Fault{CutAfterBytes: &half}, more: `timeouts { create = "8s" }`, wants: `(?s)Could not finish the image.*last seen`},
		"413 from a proxy":      {fault: acctest.Fault{AnswerStatus: 413}, wants: `(?s)refused by a proxy.*413`},
		"401":                   {fault: acctest.Fault{AnswerStatus: 401}, wants: `(?s)Not authorized.*401`},
		"403":                   {fault: acctest.Fault{AnswerStatus: 403}, wants: `(?s)Not allowed.*403`},
		"404":                   {fault: acctest.Fault{AnswerStatus: 404}, wants: `(?s)404`},
		"504, then finished":    {fault: acctest.Fault{AnswerThenFinish: true}},
		"import fails for good": {fault: acctest.Fault{FailImport: "no space left on device"}, wants: `(?s)Image import failed.*no\s+space\s+left.*Free space`},
		"checksum":              {more: fmt.Sprintf("checksum = %q", wrong), wants: `(?s)Checksum does not match.*SHA-512.*is damaged`},
		"held, and out of time": {fault: acctest.Fault{HoldProgress: &all}, more: `timeouts { create = "6s" }`, wants: `(?s)(Timed out|time\s+limit).*Uploading`},
	} {
		t.Run(label, func(t *testing.T) {
			t.Parallel()
			name := acctest.Name(t)
			path, _ := acctest.RawImage(t, 2<<20)
			cluster.SetFault(t, name, test.fault)
			first := resource.TestStep{Config: upload(name, path, test.more)}
			if test.wants != "" {
				first.ExpectError = acctest.Said(test.wants)
			}
			resource.Test(t, resource.TestCase{
				ProtoV6ProviderFactories: acctest.Factories,
				CheckDestroy:             gone(cluster, name),
				Steps: []resource.TestStep{
					first,
					{
						PreConfig:         func() { cluster.ClearFault(t, name) },
						Config:            upload(name, path, ""),
						ConfigStateChecks: []statecheck.StateCheck{expect("state", knownvalue.StringExact("Active"))},
					},
				},
			})
		})
	}
}

// A kubeconfig of kube-apiserver serves everything but uploads, and those say so.
func TestAccImage_kubeAPIServerKubeconfig(t *testing.T) {
	t.Parallel()
	cluster, name := acctest.Shared(t), acctest.Name(t)
	path, _ := acctest.RawImage(t, 4096)
	provider := fmt.Sprintf("provider \"harvester\" {\n  kubeconfig = \"%s/kube-apiserver.kubeconfig\"\n}\n", cluster.Dir)
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy:             gone(cluster, name),
		Steps: []resource.TestStep{
			{Config: provider + upload(name, path, ""), PlanOnly: true, ExpectError: acctest.Said(`Harvester API not reachable.*terraform\s+destroy.*:?6443`)},
			{Config: upload(name, path, "")},
			{ // a replacement would destroy the image before it is noticed that there is no way for the new one
				Config: provider + strings.Replace(upload(name, path, ""), ".img\"", "-2.img\"", 1), ExpectError: acctest.Said(`Harvester API not reachable`),
			},
			{Config: provider + upload(name, path, `description = "by kube-apiserver"`)},
		},
	})
}
