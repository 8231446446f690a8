// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package cloudinitsecret_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/terraform"
	"github.com/hashicorp/terraform-plugin-testing/tfjsonpath"
	"github.com/hashicorp/terraform-plugin-testing/tfversion"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/harvester-community/terraform-provider-harvester/internal/acctest"
	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
)

const (
	address = "harvester_cloudinit_secret.test"

	script  = "#!/bin/sh\necho hello\n"
	network = "version: 2\n"
)

type cluster struct {
	*acctest.Cluster
	secrets kube.Resource[corev1.Secret]
}

func shared(t *testing.T) cluster {
	t.Helper()
	c := acctest.Shared(t)
	return cluster{c, kube.For[corev1.Secret](c.Client, api.Secrets, "Secret")}
}

// secret is the configuration of a secret with those arguments.
func secret(name, arguments string) string {
	return fmt.Sprintf(`
resource "harvester_cloudinit_secret" "test" {
  name = %q
  %s
}
`, name, arguments)
}

func encode(data string) string { return base64.StdEncoding.EncodeToString([]byte(data)) }

func argument(name, value string) string { return fmt.Sprintf("  %s = %q\n", name, value) }

func expect(attribute string, value knownvalue.Check) statecheck.StateCheck {
	return statecheck.ExpectKnownValue(address, tfjsonpath.New(attribute), value)
}

func exactly(value string) knownvalue.Check { return knownvalue.StringExact(value) }

func planned(action plancheck.ResourceActionType) resource.ConfigPlanChecks {
	return resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{plancheck.ExpectResourceAction(address, action)}}
}

func (c cluster) gone(name string) resource.TestCheckFunc {
	return func(*terraform.State) error {
		if _, err := c.secrets.Get(context.Background(), "default", name); !apierrors.IsNotFound(err) {
			return fmt.Errorf("the secret %s is still there (or: %w)", name, err)
		}
		return nil
	}
}

// holds compares the data in the cluster, written key=value in the order of the keys.
func (c cluster) holds(name string, want map[string]string) resource.TestCheckFunc {
	return func(*terraform.State) error {
		live, err := c.secrets.Get(context.Background(), "default", name)
		if err != nil {
			return err
		}
		got := map[string]string{}
		for key, value := range live.Data {
			got[key] = string(value)
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			return fmt.Errorf("got %q, want %q", got, want)
		}
		return nil
	}
}

func (c cluster) patch(t *testing.T, name string, patch map[string]any) func() {
	t.Helper()
	return func() {
		if _, err := c.secrets.Patch(context.Background(), "default", name, patch); err != nil {
			t.Fatal(err)
		}
	}
}

// make makes a secret without Terraform.
func (c cluster) make(t *testing.T, name string, data, annotations map[string]any) {
	t.Helper()
	c.Apply(t, api.Secrets, "default", map[string]any{
		"apiVersion": "v1", "kind": "Secret", "stringData": data,
		"metadata": map[string]any{"name": name, "namespace": "default", "annotations": annotations},
	})
}

// Official bug: an update dropped the other data of the Secret, and foreign labels.
func TestAccCloudInitSecret_text(t *testing.T) {
	t.Parallel()
	c, name := shared(t), acctest.Name(t)
	full := secret(name, argument("user_data", script)+argument("network_data", network)+argument("description", "seed")+`
  tags = { team = "blue" }`)
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy:             c.gone(name),
		Steps: []resource.TestStep{
			{
				Config: full,
				Check:  c.holds(name, map[string]string{"userdata": script, "networkdata": network}),
				ConfigStateChecks: []statecheck.StateCheck{
					expect("id", exactly("default/"+name)), expect("user_data", exactly(script)), expect("user_data_base64", exactly(encode(script))),
					expect("state", exactly("")), expect("message", exactly("")),
					statecheck.ExpectSensitiveValue(address, tfjsonpath.New("user_data")),
					statecheck.ExpectSensitiveValue(address, tfjsonpath.New("user_data_base64")),
					statecheck.ExpectSensitiveValue(address, tfjsonpath.New("network_data")),
					statecheck.ExpectSensitiveValue(address, tfjsonpath.New("network_data_base64")),
				},
			},
			{ResourceName: address, ImportState: true, ImportStateVerify: true},
			{ // in place; what others added stays
				PreConfig: c.patch(t, name, map[string]any{
					"metadata": map[string]any{"labels": map[string]any{"other": "owner"}}, "data": map[string]any{"other": encode("kept")},
				}),
				Config:            secret(name, argument("user_data", "#!/bin/bash\n")),
				ConfigPlanChecks:  planned(plancheck.ResourceActionUpdate),
				ConfigStateChecks: []statecheck.StateCheck{expect("description", knownvalue.Null()), expect("tags", knownvalue.Null())},
				Check: resource.ComposeTestCheckFunc(
					c.holds(name, map[string]string{"userdata": "#!/bin/bash\n", "other": "kept"}),
					func(*terraform.State) error {
						live, err := c.secrets.Get(context.Background(), "default", name)
						if err == nil && fmt.Sprint(live.Labels) != "map[other:owner]" {
							err = fmt.Errorf("labels: %v", live.Labels)
						}
						return err
					}),
			},
			{ // changed behind Terraform's back, both keys
				PreConfig:        c.patch(t, name, map[string]any{"data": map[string]any{"userdata": encode("#!"), "networkdata": encode("version: 1")}}),
				Config:           secret(name, argument("user_data", "#!/bin/bash\n")),
				ConfigPlanChecks: planned(plancheck.ResourceActionUpdate),
				Check:            c.holds(name, map[string]string{"userdata": "#!/bin/bash\n", "other": "kept"}),
			},
			{ // the same in base64 is no change
				Config:           secret(name, argument("user_data_base64", encode("#!/bin/bash\n"))),
				ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()}},
			},
			{ // "" says the same as nothing
				Config: secret(name, argument("user_data", "")+argument("network_data", "")),
				Check:  c.holds(name, map[string]string{"other": "kept"}),
			},
			{ // deleted behind Terraform's back
				PreConfig: func() {
					if err := c.secrets.Delete(context.Background(), "default", name, ""); err != nil {
						t.Fatal(err)
					}
				},
				Config:           full,
				ConfigPlanChecks: planned(plancheck.ResourceActionCreate),
			},
			{ // a name is for ever
				Config:           strings.Replace(full, name, name+"-2", 1),
				ConfigPlanChecks: planned(plancheck.ResourceActionReplace),
			},
		},
	})
}

func TestAccCloudInitSecret_base64(t *testing.T) {
	t.Parallel()
	c, name := shared(t), acctest.Name(t)
	encoded := encode(script)
	folded := encoded[:10] + "\n" + encoded[10:] + "\n"
	packed := `  user_data_base64 = base64gzip("#cloud-config\n")`
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy:             c.gone(name),
		Steps: []resource.TestStep{
			{
				Config:            secret(name, argument("user_data_base64", folded)),
				Check:             c.holds(name, map[string]string{"userdata": script}),
				ConfigStateChecks: []statecheck.StateCheck{expect("user_data", exactly(script)), expect("user_data_base64", exactly(folded))},
			},
			{
				Config:           secret(name, argument("user_data_base64", encoded)),
				ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()}},
			},
			{
				Config:            secret(name, packed),
				ConfigPlanChecks:  planned(plancheck.ResourceActionUpdate),
				ConfigStateChecks: []statecheck.StateCheck{expect("user_data", knownvalue.Null())},
			},
			{ResourceName: address, ImportState: true, ImportStateVerify: true, ImportStateVerifyIgnore: []string{"network_data", "network_data_base64"}}, // "" and null
		},
	})
}

// Values that are known only in the apply.
func TestAccCloudInitSecret_unknownInPlan(t *testing.T) {
	t.Parallel()
	c, name := shared(t), acctest.Name(t)
	config := func(word string) string {
		return fmt.Sprintf("resource \"terraform_data\" \"word\" {\n  input = %q\n}\n", word) + secret(name, `user_data = "#!${terraform_data.word.output}"`)
	}
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy:             c.gone(name),
		Steps: []resource.TestStep{
			{Config: config("one"), ConfigStateChecks: []statecheck.StateCheck{expect("user_data_base64", exactly(encode("#!one")))}},
			{Config: config("two"), Check: c.holds(name, map[string]string{"userdata": "#!two"})},
		},
	})
}

// Official bug: after an import there was a change to make, for both forms were populated.
func TestAccCloudInitSecret_importedMatchesEitherForm(t *testing.T) {
	t.Parallel()
	c := shared(t)
	for form, arguments := range map[string]string{
		"text":             argument("user_data", script),
		"base64":           argument("user_data_base64", encode(script)),
		"with empty rests": argument("user_data", script) + argument("network_data", "") + argument("network_data_base64", ""),
	} {
		t.Run(form, func(t *testing.T) {
			t.Parallel()
			name := acctest.Name(t)
			c.make(t, name, map[string]any{"userdata": script}, nil)
			resource.Test(t, resource.TestCase{
				ProtoV6ProviderFactories: acctest.Factories,
				CheckDestroy:             c.gone(name),
				Steps: []resource.TestStep{
					{
						Config:      secret(name, arguments),
						ExpectError: acctest.Said(`already exists.*terraform import\s+harvester_cloudinit_secret\.<name>\s+default/` + name),
					},
					{
						Config:           secret(name, arguments) + fmt.Sprintf("import {\n  to = %s\n  id = \"default/%s\"\n}\n", address, name),
						ConfigPlanChecks: planned(plancheck.ResourceActionNoop),
					},
				},
			})
		})
	}
}

// What was imported is left as it is until the configuration states it, and each of the two data for itself:
// once an apply has stated one, that one can be emptied.
func TestAccCloudInitSecret_importedStays(t *testing.T) {
	t.Parallel()
	c, name := shared(t), acctest.Name(t)
	c.make(t, name, map[string]any{"userdata": script, "networkdata": "version: 2"}, nil)
	imported := func(arguments string) string {
		return secret(name, arguments) + fmt.Sprintf("import {\n  to = %s\n  id = \"default/%s\"\n}\n", address, name)
	}
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy:             c.gone(name),
		Steps: []resource.TestStep{
			{
				Config: imported("description = \"mine now\"\n"),
				Check:  c.holds(name, map[string]string{"userdata": script, "networkdata": "version: 2"}),
			},
			{
				Config:      secret(name, argument("user_data", "")),
				ExpectError: acctest.Said(`Imported data would be emptied.*user_data += ""`),
			},
			{
				Config: secret(name, argument("user_data", "#!other")),
				Check:  c.holds(name, map[string]string{"userdata": "#!other", "networkdata": "version: 2"}),
			},
			{Config: secret(name, argument("user_data", "")), Check: c.holds(name, map[string]string{"networkdata": "version: 2"})},
			{Config: secret(name, argument("network_data", "")), ExpectError: acctest.Said(`Imported data would be emptied.*network_data += ""`)},
		},
	})
}

// An apply that was killed after its request leaves a secret that the next apply takes
// over, if it holds the same.
func TestAccCloudInitSecret_takesOverItsOwn(t *testing.T) {
	t.Parallel()
	c, name := shared(t), acctest.Name(t)
	abandon := c.WatchMark(t, api.Secrets, "default", name)
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy:             c.gone(name),
		Steps: []resource.TestStep{
			{Config: secret(name, argument("user_data", "#!other"))},
			{Config: "removed {\n  from = harvester_cloudinit_secret.test\n  lifecycle {\n    destroy = false\n  }\n}\n"},
			{Config: secret(name, argument("user_data", "#!other")), ExpectError: acctest.Said(`already exists`)},
			{PreConfig: abandon, Config: secret(name, argument("user_data", script)+"labels = { late = \"yes\" }"), Check: func(*terraform.State) error {
				live, err := c.secrets.Get(context.Background(), "default", name)
				if err == nil && live.Labels["late"] != "yes" {
					err = fmt.Errorf("labels: %v", live.Labels)
				}
				if err != nil {
					return err
				}
				return c.holds(name, map[string]string{"userdata": script})(nil)
			}},
		},
	})
}

func TestAccCloudInitSecret_refused(t *testing.T) {
	t.Parallel()
	acctest.Shared(t)
	step := func(arguments, want string) resource.TestStep {
		return resource.TestStep{Config: secret("refused", arguments), PlanOnly: true, ExpectError: acctest.Said(want)}
	}
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		Steps: []resource.TestStep{
			step(argument("user_data_base64", script), `Invalid base64`),
			step(argument("user_data", script)+argument("user_data_base64", encode("#!")), `Contradicting arguments`),
			step(`user_data = format("#!%s", join("", [for i in range(1024) : format("%01024d", i)]))`, `Too much data`),
		},
	})
}

func TestAccCloudInitSecret_writeOnly(t *testing.T) {
	t.Parallel()
	c, name := shared(t), acctest.Name(t)
	hidden := func(data string, version int) string {
		return secret(name, argument("user_data_wo", data)+fmt.Sprintf("  user_data_wo_version = %d\n", version))
	}
	unsaid := []statecheck.StateCheck{
		expect("user_data", knownvalue.Null()), expect("user_data_base64", knownvalue.Null()), expect("user_data_wo", knownvalue.Null()),
	}
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		TerraformVersionChecks:   []tfversion.TerraformVersionCheck{tfversion.SkipBelow(tfversion.Version1_11_0)},
		CheckDestroy:             c.gone(name),
		Steps: []resource.TestStep{
			{Config: hidden(script, 1), ConfigStateChecks: unsaid, Check: c.holds(name, map[string]string{"userdata": script})},
			{ // the version did not change, so nothing does
				Config:           hidden("#!other", 1),
				ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()}},
				Check:            c.holds(name, map[string]string{"userdata": script}),
			},
			{Config: hidden("#!other", 2), ConfigStateChecks: unsaid, Check: c.holds(name, map[string]string{"userdata": "#!other"})},
			{ // removed behind Terraform's back
				PreConfig:        c.patch(t, name, map[string]any{"data": map[string]any{"userdata": nil}}),
				Config:           hidden("#!other", 2),
				ConfigPlanChecks: planned(plancheck.ResourceActionUpdate),
				Check:            c.holds(name, map[string]string{"userdata": "#!other"}),
			},
			{ // other changes do not send it
				Config: strings.Replace(hidden("#!third", 2), "user_data_wo ", "description = \"seed\"\n  user_data_wo ", 1),
				Check:  c.holds(name, map[string]string{"userdata": "#!other"}),
			},
			{Config: secret(name, argument("user_data", script)), Check: c.holds(name, map[string]string{"userdata": script})},
			{Config: hidden("#!again", 7), ConfigStateChecks: unsaid, Check: c.holds(name, map[string]string{"userdata": "#!again"})},
			{Config: secret(name, ""), Check: c.holds(name, map[string]string{})},
		},
	})
}

func TestAccCloudInitSecret_dataSource(t *testing.T) {
	t.Parallel()
	c, name := shared(t), acctest.Name(t)
	c.make(t, name, map[string]any{"userdata": script, "networkdata": network}, map[string]any{api.AnnotationDescription: "by hand"})
	data := func(name string) string {
		return fmt.Sprintf("data \"harvester_cloudinit_secret\" \"test\" {\n  name = %q\n}\n", name)
	}
	var checks []statecheck.StateCheck
	for attribute, value := range map[string]string{
		"user_data": script, "user_data_base64": encode(script), "network_data": network, "network_data_base64": encode(network), "id": "default/" + name, "description": "by hand",
	} {
		checks = append(checks, statecheck.ExpectKnownValue("data."+address, tfjsonpath.New(attribute), exactly(value)))
		if strings.Contains(attribute, "data") {
			checks = append(checks, statecheck.ExpectSensitiveValue("data."+address, tfjsonpath.New(attribute)))
		}
	}
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		Steps: []resource.TestStep{
			{Config: data(name), ConfigStateChecks: checks},
			{Config: data(name + "-missing"), ExpectError: acctest.Said(`Not found`)},
		},
	})
}

// A machine takes both by reference: made, changed and destroyed in one run each.
func TestAccCloudInitSecret_ofMachine(t *testing.T) {
	t.Parallel()
	c, name := shared(t), acctest.Name(t)
	path, _ := acctest.RawImage(t, 1<<20)
	config := func(word string) string {
		return fmt.Sprintf(`
resource "harvester_ssh_key" "test" {
  name       = %[1]q
  public_key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHHnG2Z2f9WjDhCoCWXgi8CIa8Lz8QSQ8SJcVBrR1Jd2 a@example.com\n"
}

resource "harvester_cloudinit_secret" "test" {
  name         = %[1]q
  user_data    = <<-EOT
    #cloud-config
    hostname: %[3]s
    ssh_authorized_keys:
      - ${trimspace(harvester_ssh_key.test.public_key)}
  EOT
  network_data = "version: 2\n"
}

resource "harvester_image" "test" {
  name         = %[1]q
  display_name = "%[1]s.img"
  source_type  = "upload"
  file_path    = %[2]q
}

resource "harvester_virtualmachine" "test" {
  name         = %[1]q
  run_strategy = "Halted"
  ssh_keys     = [harvester_ssh_key.test.id]

  network_interface {
    name = "nic-1"
  }
  disk {
    name        = "rootdisk"
    image       = harvester_image.test.id
    size        = "1Gi"
    auto_delete = true
  }
  cloudinit {
    user_data_secret_name    = harvester_cloudinit_secret.test.name
    network_data_secret_name = harvester_cloudinit_secret.test.name
  }
}
`, name, path, word)
	}
	machine := "harvester_virtualmachine.test"
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy:             c.gone(name),
		Steps: []resource.TestStep{
			{
				Config: config("one"),
				ConfigStateChecks: []statecheck.StateCheck{
					statecheck.ExpectKnownValue(machine, tfjsonpath.New("state"), exactly("Off")),
					statecheck.ExpectKnownValue(machine, tfjsonpath.New("ssh_keys"), knownvalue.ListExact([]knownvalue.Check{exactly("default/" + name)})),
				},
			},
			{ // the secret changes, the machine does not
				Config: config("two"),
				ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{
					plancheck.ExpectResourceAction(address, plancheck.ResourceActionUpdate),
					plancheck.ExpectResourceAction(machine, plancheck.ResourceActionNoop),
				}},
			},
		},
	})
}
