// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package sshkey_test

import (
	"context"
	"fmt"
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

	"github.com/harvester-community/terraform-provider-harvester/internal/acctest"
	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
)

const (
	address = "harvester_ssh_key.test"

	keyA         = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHHnG2Z2f9WjDhCoCWXgi8CIa8Lz8QSQ8SJcVBrR1Jd2 a@example.com"
	fingerprintA = "5b:d3:63:cd:8f:b9:9c:73:74:78:df:06:82:52:84:a8"
	keyB         = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFRZlMyOxAGjJ1GtXHwEPpVVJ0oBrfZIFn1uVn7SDAgO b@example.com"
	fingerprintB = "45:0c:65:36:52:41:76:75:d0:35:28:23:07:db:8a:d6"
)

type cluster struct {
	*acctest.Cluster
	keys kube.Resource[api.KeyPair]
}

func shared(t *testing.T) cluster {
	t.Helper()
	c := acctest.Shared(t)
	return cluster{c, kube.For[api.KeyPair](c.Client, api.KeyPairs, "KeyPair")}
}

// key is the configuration of a key with more arguments at the end.
func key(name, publicKey, more string) string {
	return fmt.Sprintf(`
resource "harvester_ssh_key" "test" {
  name       = %q
  public_key = %q
  %s
}
`, name, publicKey, more)
}

func expect(attribute string, value knownvalue.Check) statecheck.StateCheck {
	return statecheck.ExpectKnownValue(address, tfjsonpath.New(attribute), value)
}

func exactly(value string) knownvalue.Check { return knownvalue.StringExact(value) }

func planned(action plancheck.ResourceActionType) resource.ConfigPlanChecks {
	return resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{plancheck.ExpectResourceAction(address, action)}}
}

func (c cluster) gone(name string) resource.TestCheckFunc {
	return func(*terraform.State) error {
		if _, err := c.keys.Get(context.Background(), "default", name); !apierrors.IsNotFound(err) {
			return fmt.Errorf("the key %s is still there (or: %w)", name, err)
		}
		return nil
	}
}

// live compares what the cluster has with what it should have.
func (c cluster) live(name, want string, got func(*api.KeyPair) string) resource.TestCheckFunc {
	return func(*terraform.State) error {
		pair, err := c.keys.Get(context.Background(), "default", name)
		if err != nil {
			return err
		}
		if got := got(pair); got != want {
			return fmt.Errorf("got %q, want %q", got, want)
		}
		return nil
	}
}

// make makes keyA without Terraform.
func (c cluster) make(t *testing.T, name string, annotations map[string]any) {
	t.Helper()
	c.Apply(t, api.KeyPairs, "default", map[string]any{
		"apiVersion": "harvesterhci.io/v1beta1", "kind": "KeyPair",
		"metadata": map[string]any{"name": name, "namespace": "default", "annotations": annotations},
		"spec":     map[string]any{"publicKey": keyA},
	})
}

// Official bug: create returned before the validation, with an empty fingerprint that
// showed as drift later. And Harvester kept the fingerprint of the first key.
func TestAccSSHKey_validated(t *testing.T) {
	t.Parallel()
	c, name := shared(t), acctest.Name(t)
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy:             c.gone(name),
		Steps: []resource.TestStep{
			{
				Config: key(name, keyA+"\n", `description = "mine"
  tags   = { team = "blue", gone = "soon" }
  labels = { shift = "early" }`),
				ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{
					plancheck.ExpectKnownValue(address, tfjsonpath.New("fingerprint"), exactly(fingerprintA)),
				}},
				ConfigStateChecks: []statecheck.StateCheck{
					expect("id", exactly("default/"+name)), expect("state", exactly("Validated")), expect("message", exactly("")),
					expect("fingerprint", exactly(fingerprintA)), expect("public_key", exactly(keyA+"\n")),
				},
				Check: c.live(name, keyA+" "+fingerprintA, func(pair *api.KeyPair) string { return pair.Spec.PublicKey + " " + pair.Status.FingerPrint }),
			},
			{ // the newline at the end of a file is no difference
				Config: key(name, keyA, `description = "mine"
  tags   = { team = "blue", gone = "soon" }
  labels = { shift = "early" }`),
				ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()}},
			},
			{ // another key, in place, validated anew; what others added stays
				PreConfig: func() {
					patch := map[string]any{"metadata": map[string]any{
						"labels": map[string]any{"other": "owner"}, "annotations": map[string]any{"other/note": "kept"},
					}}
					if _, err := c.keys.Patch(t.Context(), "default", name, patch); err != nil {
						t.Fatal(err)
					}
				},
				Config:           key(name, keyB, "tags = { team = \"red\" }"),
				ConfigPlanChecks: planned(plancheck.ResourceActionUpdate),
				ConfigStateChecks: []statecheck.StateCheck{
					expect("state", exactly("Validated")), expect("fingerprint", exactly(fingerprintB)), expect("description", knownvalue.Null()),
				},
				Check: c.live(name, keyB+" "+fingerprintB+" owner kept red  ", func(pair *api.KeyPair) string {
					return strings.Join([]string{
						pair.Spec.PublicKey, pair.Status.FingerPrint, pair.Labels["other"], pair.Annotations["other/note"],
						pair.Labels["tag.harvesterhci.io/team"], pair.Labels["tag.harvesterhci.io/gone"], pair.Labels["shift"],
					}, " ")
				}),
			},
			{
				ResourceName: address, ImportState: true, ImportStateVerify: true,
				ImportStateVerifyIgnore: []string{"labels.%", "labels.other"}, // adopted by an import
			},
			{ // changed behind Terraform's back
				PreConfig: func() {
					if _, err := c.keys.Patch(t.Context(), "default", name, map[string]any{"spec": map[string]any{"publicKey": keyA}}); err != nil {
						t.Fatal(err)
					}
				},
				Config:            key(name, keyB, "tags = { team = \"red\" }"),
				ConfigPlanChecks:  planned(plancheck.ResourceActionUpdate),
				ConfigStateChecks: []statecheck.StateCheck{expect("fingerprint", exactly(fingerprintB))},
			},
			{ // deleted behind Terraform's back
				PreConfig: func() {
					if err := c.keys.Delete(t.Context(), "default", name, ""); err != nil {
						t.Fatal(err)
					}
					acctest.Eventually(t, "the key is gone", func(ctx context.Context) bool {
						_, err := c.keys.Get(ctx, "default", name)
						return apierrors.IsNotFound(err)
					})
				},
				Config:           key(name, keyB, "tags = { team = \"red\" }"),
				ConfigPlanChecks: planned(plancheck.ResourceActionCreate),
			},
		},
	})
}

func TestAccSSHKey_refused(t *testing.T) {
	t.Parallel()
	acctest.Shared(t)
	const private = "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gtZW"
	late := func(key string) string {
		return fmt.Sprintf(`
resource "terraform_data" "key" {
  input = %q
}
resource "harvester_ssh_key" "test" {
  name       = "refused"
  public_key = terraform_data.key.output
}`, key)
	}
	heredoc := `
resource "harvester_ssh_key" "test" {
  name       = "refused"
  public_key = <<-EOT
    -----BEGIN OPENSSH PRIVATE KEY-----
    ` + private + `
    -----END OPENSSH PRIVATE KEY-----
  EOT
}`
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		ErrorCheck: func(err error) error {
			if err != nil && strings.Contains(err.Error(), private) {
				return fmt.Errorf("the private key is repeated: %w", err)
			}
			return err
		},
		Steps: []resource.TestStep{
			{Config: key("refused", "your ssh public key", ""), PlanOnly: true, ExpectError: acctest.Said(`Not an SSH key`)},
			{Config: key("refused", "", ""), PlanOnly: true, ExpectError: acctest.Said(`Missing SSH key`)},
			{Config: heredoc, PlanOnly: true, ExpectError: acctest.Said(`Private key refused`)},
			{ // not even sent, when it is known only in the apply
				Config: late("-----BEGIN OPENSSH PRIVATE KEY-----\n" + private), ExpectError: acctest.Said(`Private key refused`),
			},
		},
	})
}

func TestAccSSHKey_existing(t *testing.T) {
	t.Parallel()
	c, name := shared(t), acctest.Name(t)
	c.make(t, name, nil)
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy:             c.gone(name),
		Steps: []resource.TestStep{
			{Config: key(name, keyA, ""), ExpectError: acctest.Said(`already exists.*terraform import\s+harvester_ssh_key\.<name>\s+default/` + name)},
			{
				Config: key(name, keyA+"\n", "") + fmt.Sprintf("import {\n  to = %s\n  id = \"default/%s\"\n}\n", address, name),
				ConfigPlanChecks: resource.ConfigPlanChecks{
					PreApply: []plancheck.PlanCheck{plancheck.ExpectResourceAction(address, plancheck.ResourceActionNoop)},
				},
			},
		},
	})
}

// An apply that was killed after its request leaves a key that the next apply takes over, if
// it is the same key.
func TestAccSSHKey_takesOverItsOwn(t *testing.T) {
	t.Parallel()
	c, name := shared(t), acctest.Name(t)
	abandon := c.WatchMark(t, api.KeyPairs, "default", name)
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy:             c.gone(name),
		Steps: []resource.TestStep{
			{Config: key(name, keyA, "")},
			{Config: "removed {\n  from = harvester_ssh_key.test\n  lifecycle {\n    destroy = false\n  }\n}\n"},
			{Config: key(name, keyA, ""), ExpectError: acctest.Said(`already exists.*terraform import harvester_ssh_key`)},
			{PreConfig: abandon, Config: key(name, keyB, "labels = { late = \"yes\" }"), Check: c.live(name, "yes", func(pair *api.KeyPair) string { return pair.Labels["late"] })},
		},
	})
}

// A key of that name that is on its way out is waited for.
func TestAccSSHKey_waitsForTheEndOfAnother(t *testing.T) {
	t.Parallel()
	c, name := shared(t), acctest.Name(t)
	c.make(t, name, nil)
	finalizers := func(names ...any) {
		if _, err := c.keys.Patch(context.Background(), "default", name, map[string]any{"metadata": map[string]any{"finalizers": names}}); err != nil && !apierrors.IsNotFound(err) {
			t.Error(err)
		}
	}
	t.Cleanup(func() { finalizers() })
	finalizers("acctest.example.com/hold")
	if err := c.keys.Delete(t.Context(), "default", name, ""); err != nil {
		t.Fatal(err)
	}
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy:             c.gone(name),
		Steps: []resource.TestStep{
			{Config: key(name, keyB, "timeouts {\n  create = \"2s\"\n}"), ExpectError: acctest.Said(`Timed out.*being deleted`)},
			{
				PreConfig:         func() { time.AfterFunc(2*time.Second, func() { finalizers() }) },
				Config:            key(name, keyB, ""),
				ConfigStateChecks: []statecheck.StateCheck{expect("state", exactly("Validated"))},
			},
		},
	})
}

func TestAccSSHKey_dataSource(t *testing.T) {
	t.Parallel()
	c, name := shared(t), acctest.Name(t)
	c.make(t, name, map[string]any{api.AnnotationDescription: "by hand"})
	acctest.Eventually(t, "the key is validated", func(ctx context.Context) bool {
		pair, err := c.keys.Get(ctx, "default", name)
		return err == nil && pair.Status.FingerPrint != ""
	})
	data := func(name string) string {
		return fmt.Sprintf("data \"harvester_ssh_key\" \"test\" {\n  name = %q\n}\n", name)
	}
	check := func(attribute, value string) statecheck.StateCheck {
		return statecheck.ExpectKnownValue("data."+address, tfjsonpath.New(attribute), exactly(value))
	}
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		Steps: []resource.TestStep{
			{Config: data(name), ConfigStateChecks: []statecheck.StateCheck{
				check("id", "default/"+name), check("public_key", keyA), check("fingerprint", fingerprintA), check("state", "Validated"), check("description", "by hand"),
			}},
			{Config: data(name + "-missing"), ExpectError: acctest.Said(`Not found`)},
		},
	})
}
