// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package imagedownload_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
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
	qcow2reader "github.com/lima-vm/go-qcow2reader"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/harvester-community/terraform-provider-harvester/internal/acctest"
	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/imagestate"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
	"github.com/harvester-community/terraform-provider-harvester/internal/qcow2img"
)

var aWhileAgo = time.Date(2020, 1, 2, 3, 4, 5, 0, time.UTC)

const address = "harvester_image_download.test"

// image is the configuration of an uploaded image.
func image(name, path, more string) string {
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

// download is the configuration of a download of the image, which is an expression.
func download(image, filename, more string) string {
	return fmt.Sprintf(`
resource "harvester_image_download" "test" {
  image    = %s
  filename = %q
  %s
}
`, image, filename, more)
}

func literal(name string) string { return fmt.Sprintf("\"default/%s\"", name) }

const byID = "harvester_image.test.id"

func expect(attribute string, value knownvalue.Check) statecheck.StateCheck {
	return statecheck.ExpectKnownValue(address, tfjsonpath.New(attribute), value)
}

func planned(action plancheck.ResourceActionType, more ...plancheck.PlanCheck) resource.ConfigPlanChecks {
	return resource.ConfigPlanChecks{PreApply: append(more, plancheck.ExpectResourceAction(address, action))}
}

func sum256(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

func sum512(content []byte) string {
	sum := sha512.Sum512(content)
	return hex.EncodeToString(sum[:])
}

// holds checks the file's content, and that nothing is beside it.
func holds(filename string, content []byte) func(*terraform.State) error {
	return func(*terraform.State) error {
		got, err := os.ReadFile(filename)
		if err != nil {
			return err
		}
		if !bytes.Equal(got, content) {
			return fmt.Errorf("the file holds %d other bytes", len(got))
		}
		return alone(filename)
	}
}

func alone(filename string) error {
	entries, err := os.ReadDir(filepath.Dir(filename))
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if strings.HasSuffix(entry.Name(), ".part") {
			return fmt.Errorf("%s was left behind", entry.Name())
		}
	}
	return nil
}

// absent checks that there is no file.
func absent(filename string) func(*terraform.State) error {
	return func(*terraform.State) error {
		if _, err := os.Stat(filename); !os.IsNotExist(err) {
			return fmt.Errorf("%s is there (or: %w)", filename, err)
		}
		if _, err := os.Stat(filepath.Dir(filename)); err != nil {
			return nil //nolint:nilerr // no folder, no file
		}
		return alone(filename)
	}
}

func write(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// An image is uploaded and downloaded in one configuration.
func TestAccImageDownload_raw(t *testing.T) {
	t.Parallel()
	acctest.Shared(t)
	name := acctest.Name(t)
	path, content := acctest.RawImage(t, 3<<20)
	clear(content[1<<20 : 2<<20]) // a hole
	write(t, path, content)
	filename := filepath.Join(t.TempDir(), "deep", "down", "disk.img")
	config := func(more string) string { return image(name, path, "") + download(byID, filename, more) }
	mode := func(want os.FileMode) func(*terraform.State) error {
		return func(*terraform.State) error {
			info, err := os.Stat(filename)
			if err == nil && info.Mode().Perm() != want {
				err = fmt.Errorf("the permissions are %s", info.Mode())
			}
			return err
		}
	}
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy:             absent(filename),
		Steps: []resource.TestStep{
			{
				Config: config(""),
				Check:  resource.ComposeTestCheckFunc(holds(filename, content), mode(0o644)),
				ConfigStateChecks: []statecheck.StateCheck{
					expect("id", knownvalue.StringExact(filename)),
					expect("size", knownvalue.Int64Exact(3<<20)),
					expect("sha256", knownvalue.StringExact(sum256(content))),
					expect("sha512", knownvalue.StringExact(sum512(content))),
					expect("format", knownvalue.StringExact("raw")),
					expect("image_uid", knownvalue.StringRegexp(regexp.MustCompile(`^[0-9a-f-]{36}$`))),
					expect("file_permission", knownvalue.StringExact("0644")),
				},
			},
			{
				ResourceName: address, ImportState: true, ImportStateVerify: true,
				ImportStateIdFunc: func(*terraform.State) (string, error) { return "default/" + name + ":" + filename, nil },
			},
			{ // permissions change in place, whoever changed them
				Config: config(`file_permission = "600"`), Check: mode(0o600),
				ConfigPlanChecks: planned(plancheck.ResourceActionUpdate, plancheck.ExpectKnownValue(address, tfjsonpath.New("sha512"), knownvalue.StringExact(sum512(content)))),
			},
			{
				PreConfig: func() { _ = os.Chmod(filename, 0o777) },
				Config:    config(`file_permission = "600"`), Check: mode(0o600),
				ConfigPlanChecks: planned(plancheck.ResourceActionUpdate),
			},
			{ // a new time alone is no change
				PreConfig: func() { _ = os.Chtimes(filename, aWhileAgo, aWhileAgo) },
				Config:    config(`file_permission = "600"`), PlanOnly: true,
			},
			{ // another name is another file
				Config: image(name, path, "") + download(byID, filename+".other", ""), Check: absent(filename),
				ConfigPlanChecks: planned(plancheck.ResourceActionReplace),
			},
			{Config: config("")},
		},
	})
}

// What the backend backingimage stores comes back as it is.
func TestAccImageDownload_qcow2(t *testing.T) {
	t.Parallel()
	acctest.Shared(t)
	name := acctest.Name(t)
	content := qcow2Image(t)
	path := filepath.Join(t.TempDir(), "disk.qcow2")
	write(t, path, content)
	filename := filepath.Join(t.TempDir(), "disk.qcow2")
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy:             absent(filename),
		Steps: []resource.TestStep{{
			Config: image(name, path, "") + download(byID, filename, ""), Check: holds(filename, content),
			ConfigStateChecks: []statecheck.StateCheck{expect("format", knownvalue.StringExact("qcow2"))},
		}},
	})
}

func qcow2Image(t *testing.T) []byte {
	t.Helper()
	var content bytes.Buffer
	if _, err := (qcow2img.Image{VirtualSize: 8 << 20, DataSize: 2 << 20}).WriteTo(&content); err != nil {
		t.Fatal(err)
	}
	return content.Bytes()
}

// CDI makes a qcow2 file of the disk. Two downloads of one image take turns.
func TestAccImageDownload_cdi(t *testing.T) {
	t.Parallel()
	cluster, name := acctest.Shared(t), acctest.Name(t)
	path, content := acctest.RawImage(t, 4<<20)
	folder := t.TempDir()
	config := image(name, path, "backend = \"cdi\"\n  storage_class_name = \"harvester-longhorn\"") + fmt.Sprintf(`
resource "harvester_image_download" "test" {
  count    = 2
  image    = harvester_image.test.id
  filename = "%s/disk-${count.index}.qcow2"
}
`, folder)
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy:             absent(filepath.Join(folder, "disk-0.qcow2")),
		Steps: []resource.TestStep{{Config: config, Check: func(*terraform.State) error {
			for i := range 2 {
				filename := filepath.Join(folder, fmt.Sprintf("disk-%d.qcow2", i))
				if err := holdsDisk(filename, content); err != nil {
					return err
				}
				if err := alone(filename); err != nil {
					return err
				}
			}
			return noDownloader(cluster, name)
		}}},
	})
}

// holdsDisk checks the disk in a qcow2 file, which may be larger than what was stored.
func holdsDisk(filename string, content []byte) error {
	file, err := os.Open(filename)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	disk, err := qcow2reader.Open(file)
	if err != nil {
		return err
	}
	got := make([]byte, len(content))
	if _, err := disk.ReadAt(got, 0); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if !bytes.Equal(got, content) {
		return fmt.Errorf("%s holds another disk", filename)
	}
	return nil
}

func noDownloader(cluster *acctest.Cluster, name string) error {
	downloaders := kube.For[api.VirtualMachineImageDownloader](cluster.Client, api.ImageDownloaders, api.KindImageDownloader)
	if _, err := downloaders.Get(context.Background(), "default", name); !apierrors.IsNotFound(err) {
		return fmt.Errorf("the downloader of %s was left behind (or: %w)", name, err)
	}
	return nil
}

func TestAccImageDownload_keptPacked(t *testing.T) {
	t.Parallel()
	acctest.Shared(t)
	name := acctest.Name(t)
	path, content := acctest.RawImage(t, 1<<20)
	filename := filepath.Join(t.TempDir(), "disk.img.gz")
	unpacks := func(*terraform.State) error {
		packed, err := os.ReadFile(filename)
		if err != nil {
			return err
		}
		reader, err := gzip.NewReader(bytes.NewReader(packed))
		if err != nil {
			return err
		}
		if got, err := io.ReadAll(reader); err != nil || !bytes.Equal(got, content) {
			return fmt.Errorf("it unpacks to %d other bytes (%w)", len(got), err)
		}
		return nil
	}
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy:             absent(filename),
		Steps: []resource.TestStep{
			{
				Config: image(name, path, "") + download(byID, filename, "decompress = false"), Check: unpacks,
				ConfigStateChecks: []statecheck.StateCheck{expect("format", knownvalue.StringExact("gzip"))},
			},
			{
				ResourceName: address, ImportState: true, ImportStateVerify: true,
				ImportStateIdFunc: func(*terraform.State) (string, error) { return "default/" + name + ":" + filename, nil },
			},
			{
				Config: image(name, path, "") + download(byID, filename, ""), Check: holds(filename, content),
				ConfigPlanChecks: planned(plancheck.ResourceActionUpdate),
			},
		},
	})
}

// What becomes of the file decides whether it is downloaded again.
func TestAccImageDownload_again(t *testing.T) {
	t.Parallel()
	cluster, name := acctest.Shared(t), acctest.Name(t)
	path, content := acctest.RawImage(t, 1<<20)
	_, other := acctest.RawImage(t, 1<<20)
	filename := filepath.Join(t.TempDir(), "disk.img")
	config := download(literal(name), filename, "")
	outside := func(config string) string { return image(name, path, "") + config } // made by another configuration, as it were
	unknown := plancheck.ExpectUnknownValue(address, tfjsonpath.New("sha512"))
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		Steps: []resource.TestStep{
			{Config: outside("")},
			{Config: outside(config), Check: holds(filename, content)},
			{ // a fresh checkout lacks the file
				PreConfig: func() { _ = os.Remove(filename) },
				Config:    outside(config), Check: holds(filename, content), ConfigPlanChecks: planned(plancheck.ResourceActionCreate),
			},
			{ // somebody edited it
				PreConfig: func() { write(t, filename, other) },
				Config:    outside(config), Check: holds(filename, content), ConfigPlanChecks: planned(plancheck.ResourceActionUpdate, unknown),
			},
			{ // or cut it
				PreConfig: func() { write(t, filename, nil) },
				Config:    outside(config), Check: holds(filename, content), ConfigPlanChecks: planned(plancheck.ResourceActionUpdate, unknown),
			},
			{ // the image is made anew by the run, and the reference does not tell
				PreConfig:        func() { write(t, path, other) },
				Config:           image(name, path, "") + download(`"${harvester_image.test.namespace}/${harvester_image.test.name}"`, filename, ""),
				Check:            holds(filename, other),
				ConfigPlanChecks: planned(plancheck.ResourceActionUpdate, plancheck.ExpectUnknownValue(address, tfjsonpath.New("image_uid"))),
			},
			{ // the image is gone, and the file is still good
				Config: download(literal(name), filename, ""),
			},
			{
				PreConfig: func() { cluster.Uploaded(t, name, 4096) },
				Config:    config, ConfigPlanChecks: planned(plancheck.ResourceActionUpdate, plancheck.ExpectUnknownValue(address, tfjsonpath.New("image_uid"))),
				ConfigStateChecks: []statecheck.StateCheck{expect("size", knownvalue.Int64Exact(4096))},
			},
			{ // destroy leaves what is not ours
				PreConfig: func() { write(t, filename, other) },
				Config:    config, Destroy: true, Check: holds(filename, other),
			},
		},
	})
}

// The gate refuses at plan, and once more at apply.
func TestAccImageDownload_refused(t *testing.T) {
	t.Parallel()
	cluster := acctest.Shared(t)
	for label, test := range map[string]struct {
		arrange func(t *testing.T, name string)
		wants   string
	}{
		"missing": {func(*testing.T, string) {}, `(?s)Image not found.*Cannot download the image`},
		"at 40 %": {func(t *testing.T, name string) { t.Helper(); cluster.HeldUpload(t, name, 40) }, `(?s)Image is not ready.*Cannot download the image.*Uploading,\s+\d+\s+%`},
		"encrypted": {func(t *testing.T, name string) {
			t.Helper()
			cluster.Uploaded(t, name+"-plain", 1<<20)
			cluster.Encrypted(t, name, name+"-plain", cluster.EncryptedClass(t))
		}, `(?s)Image is encrypted.*Decrypt it into a new image`},
	} {
		t.Run(label, func(t *testing.T) {
			t.Parallel()
			name, filename := acctest.Name(t), filepath.Join(t.TempDir(), "new", "disk.img")
			test.arrange(t, name)
			config := download(literal(name), filename, "")
			resource.Test(t, resource.TestCase{
				ProtoV6ProviderFactories: acctest.Factories,
				CheckDestroy:             absent(filepath.Dir(filename)),
				Steps: []resource.TestStep{
					{Config: config, PlanOnly: true, ExpectError: acctest.Said(test.wants)},
					{
						Config:      "provider \"harvester\" {\n  plan_checks = \"off\"\n}\n" + config,
						ExpectError: acctest.Said(test.wants + `(?s:.*Nothing was created)`),
					},
				},
			})
		})
	}
}

// flip is a step between plan and apply.
type flip func()

func (f flip) CheckPlan(context.Context, plancheck.CheckPlanRequest, *plancheck.CheckPlanResponse) {
	f()
}

func TestAccImageDownload_looksAgainAtApply(t *testing.T) {
	t.Parallel()
	cluster, name := acctest.Shared(t), acctest.Name(t)
	cluster.Uploaded(t, name, 1<<20)
	filename := filepath.Join(t.TempDir(), "disk.img")
	turn := flip(func() {
		if err := cluster.Images.Delete(t.Context(), "default", name, ""); err != nil {
			t.Error(err)
		}
		acctest.Eventually(t, "the image is gone", func(ctx context.Context) bool {
			_, err := cluster.Images.Get(ctx, "default", name)
			return apierrors.IsNotFound(err)
		})
		cluster.Pending(t, name)
	})
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy:             absent(filename),
		Steps: []resource.TestStep{
			{
				Config: download(literal(name), filename, ""), ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{turn}},
				ExpectError: acctest.Said(`Image is not ready.*Uploading`),
			},
			{ // the same configuration passes by itself once the image is ready
				PreConfig: func() {
					if err := cluster.Send(t, name, 4096); err != nil {
						t.Fatal(err)
					}
					cluster.Await(t, name, imagestate.Image.Ready)
				},
				Config: download(literal(name), filename, ""),
			},
		},
	})
}

func TestAccImageDownload_unusableTarget(t *testing.T) {
	t.Parallel()
	cluster, name := acctest.Shared(t), acctest.Name(t)
	cluster.Uploaded(t, name, 4<<20)
	folder := t.TempDir()
	write(t, filepath.Join(folder, "file"), nil)
	for label, test := range map[string]struct{ filename, more, wants string }{
		"directory":        {folder, "", `(?s)Target not usable.*is\s+a\s+directory`},
		"below a file":     {filepath.Join(folder, "file", "disk.img"), "", `(?s)Target not usable.*cannot\s+be\s+written`},
		"device":           {"/dev/null", "", `(?s)Target not usable.*not\s+a\s+regular\s+file`},
		"permission":       {filepath.Join(folder, "x"), `file_permission = "rw"`, `permissions in octal`},
		"other permission": {filepath.Join(folder, "x"), `directory_permission = "0888"`, `permissions in octal`},
		"empty":            {"", "", `filename`},
		"stall timeout":    {filepath.Join(folder, "x"), `stall_timeout = "soon"`, `Invalid duration`},
	} {
		t.Run(label, func(t *testing.T) {
			t.Parallel()
			resource.Test(t, resource.TestCase{
				ProtoV6ProviderFactories: acctest.Factories,
				Steps: []resource.TestStep{{
					Config: download(literal(name), test.filename, test.more), PlanOnly: true, ExpectError: acctest.Said(test.wants),
				}},
			})
		})
	}
}

func TestAccImageDownload_importChecks(t *testing.T) {
	t.Parallel()
	cluster, name := acctest.Shared(t), acctest.Name(t)
	cluster.Uploaded(t, name, 1<<20)
	folder := t.TempDir()
	write(t, filepath.Join(folder, "short"), make([]byte, 4096))
	write(t, filepath.Join(folder, "other"), make([]byte, 1<<20))
	for id, wants := range map[string]string{
		"default/" + name: `Invalid import id`,
		"default/" + name + ":" + filepath.Join(folder, "missing"): `Nothing to import`,
		"default/" + name + ":" + filepath.Join(folder, "short"):   `(?s)File is not the image.*4096 bytes`,
		"default/" + name + ":" + filepath.Join(folder, "other"):   `(?s)File is not the image.*SHA-512`,
	} {
		resource.Test(t, resource.TestCase{
			ProtoV6ProviderFactories: acctest.Factories,
			Steps: []resource.TestStep{{
				Config: download(literal(name), filepath.Join(folder, "new"), ""), ResourceName: address,
				ImportState: true, ImportStateId: id, ExpectError: acctest.Said(wants),
			}},
		})
	}
}

// A kubeconfig of kube-apiserver serves everything but downloads, and those say so.
func TestAccImageDownload_kubeAPIServerKubeconfig(t *testing.T) {
	t.Parallel()
	cluster, name := acctest.Shared(t), acctest.Name(t)
	cluster.Uploaded(t, name, 4096)
	filename := filepath.Join(t.TempDir(), "disk.img")
	provider := fmt.Sprintf("provider \"harvester\" {\n  kubeconfig = \"%s/kube-apiserver.kubeconfig\"\n}\n", cluster.Dir)
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy:             absent(filename),
		Steps: []resource.TestStep{{
			Config: provider + download(literal(name), filename, ""), PlanOnly: true, ExpectError: acctest.Said(`Harvester API not reachable.*terraform\s+destroy.*kube-apiserver`),
		}},
	})
}

func TestAccImageDownload_twoIntoOneFile(t *testing.T) {
	t.Parallel()
	cluster, name := acctest.Shared(t), acctest.Name(t)
	cluster.Uploaded(t, name, 1<<20)
	folder := t.TempDir()
	file := filepath.Join(folder, "disk.img")
	other := strings.Replace(download(literal(name), filepath.Join(folder, ".", "sub", "..", "disk.img"), ""), `"test"`, `"other"`, 1)
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		Steps: []resource.TestStep{
			{Config: download(literal(name), file, "") + other, ExpectError: acctest.Said(`File has two downloads.*filename\s+of\s+its\s+own`)},
			{Config: download(literal(name), file, "")},
			{Config: download(literal(name), file, `file_permission = "0600"`) + other, ExpectError: acctest.Said(`File has two downloads`)},
			{Config: strings.Replace(download(literal(name), file, ""), `"test"`, `"other"`, 1), Check: func(*terraform.State) error {
				_, err := os.Stat(file)
				return err
			}},
		},
	})
}
