// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package bootstrap_test

import (
	"encoding/json"
	"fmt"
	"net/http"
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

	"github.com/harvester-community/terraform-provider-harvester/internal/acctest"
)

const address = "harvester_bootstrap.test"

// fresh is a cluster of the sandbox that nobody has logged in to yet.
type fresh struct {
	*acctest.Cluster
	t    *testing.T
	path string
	// file is where its kubeconfig goes.
	file string
}

func newCluster(t *testing.T) fresh {
	t.Helper()
	return fresh{acctest.Shared(t), t, "sandbox/rancher/" + acctest.Name(t), filepath.Join(t.TempDir(), "config")}
}

func (f fresh) fault(fault string) {
	f.t.Helper()
	f.Ask(f.t, http.MethodPut, f.path+"/faults", []byte(fault))
}

// is wants admin to have that password, and so many tokens and kubeconfigs to have been made.
func (f fresh) is(password string, made int) resource.TestCheckFunc {
	return func(*terraform.State) error {
		var now struct {
			Password string
			Made     int
		}
		if err := json.Unmarshal(f.Ask(f.t, http.MethodGet, f.path+"/faults", nil), &now); err != nil {
			return err
		}
		if now.Password != password || made > 0 && now.Made != made {
			return fmt.Errorf("the password is %q after %d tokens and kubeconfigs, not %q after %d", now.Password, now.Made, password, made)
		}
		return nil
	}
}

func (f fresh) config(arguments string) string {
	return fmt.Sprintf(`
provider "harvester" {
  bootstrap = true
}

resource "harvester_bootstrap" "test" {
  api_url    = "%s/%s"
  kubeconfig = %q
%s
}
`, f.Client.Host(), f.path, f.file, arguments)
}

func password(text string) string { return fmt.Sprintf("  password = %q\n", text) }

func planned(action plancheck.ResourceActionType) resource.ConfigPlanChecks {
	return resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{plancheck.ExpectResourceAction(address, action)}}
}

func expect(attribute string, value knownvalue.Check) statecheck.StateCheck {
	return statecheck.ExpectKnownValue(address, tfjsonpath.New(attribute), value)
}

const first, second, third = "a first password", "a second password", "a third password"

// Official bugs T2 (new tokens at every plan), T3 (the file) and T5 (no change of the password).
func TestAccBootstrap_lifecycle(t *testing.T) {
	t.Parallel()
	f := newCluster(t)
	exists := func(*terraform.State) error {
		info, err := os.Stat(f.file)
		if err == nil && info.Mode().Perm() != 0o600 {
			err = fmt.Errorf("the kubeconfig has the mode %v", info.Mode())
		}
		return err
	}
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy:             resource.ComposeTestCheckFunc(f.is(third, 0), exists), // destroy only forgets
		Steps: []resource.TestStep{
			{
				Config: f.config(password(first)),
				ConfigStateChecks: []statecheck.StateCheck{
					expect("id", knownvalue.StringRegexp(regexp.MustCompile(`^token-`))), expect("should_update_password", knownvalue.Bool(true)),
					expect("kubeconfig_content", knownvalue.StringRegexp(regexp.MustCompile(`/k8s/clusters/local`))),
					expect("certificate_sha256", knownvalue.StringRegexp(regexp.MustCompile(`^[0-9a-f]{64}$`))),
				},
				Check: resource.ComposeTestCheckFunc(f.is(first, 3), exists), // two logins and a kubeconfig
			},
			{Config: f.config(password(first)), ConfigPlanChecks: planned(plancheck.ResourceActionNoop), Check: f.is(first, 3)},
			{Config: f.config(password(second)), ConfigPlanChecks: planned(plancheck.ResourceActionUpdate), Check: f.is(second, 5)},
			{ // the file is written again, with the kubeconfig that there is
				PreConfig: func() {
					if err := os.Remove(f.file); err != nil {
						t.Fatal(err)
					}
				},
				Config: f.config(password(second)), ConfigPlanChecks: planned(plancheck.ResourceActionUpdate), Check: resource.ComposeTestCheckFunc(f.is(second, 5), exists),
			},
			{ // the answer to the change is lost
				PreConfig: func() { f.fault(`{"dropAfterChange":true}`) },
				Config:    f.config(password(third)), ConfigPlanChecks: planned(plancheck.ResourceActionUpdate), Check: f.is(third, 0),
			},
			{PreConfig: func() { f.fault(`{"status":503}`) }, Config: f.config(password(third)), ConfigPlanChecks: planned(plancheck.ResourceActionNoop)},
			{PreConfig: func() { f.fault(`{}`) }, Config: f.config(password(third)), ConfigPlanChecks: planned(plancheck.ResourceActionNoop)},
		},
	})
}

// An apply that stopped half-way is continued. Refusals come with Harvester's reason, without the password.
func TestAccBootstrap_interrupted(t *testing.T) {
	t.Parallel()
	f := newCluster(t)
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		Steps: []resource.TestStep{
			{Config: f.config(password("short")), ExpectError: acctest.Said(`Refused by Harvester.*at least 12\s+characters`)},
			{PreConfig: func() { f.fault(`{"refuseChange":"no: ` + first + `"}`) }, Config: f.config(password(first)), ExpectError: acctest.Said(`no:\s+\*\*\*`)},
			{PreConfig: func() { f.fault(`{"noKubeconfig":true}`) }, Config: f.config(password(first)), ExpectError: acctest.Said(`failed to generate.*password is set`)},
			{PreConfig: func() { f.fault(`{}`) }, Config: f.config(password(second) + "  initial_password = \"wrong password\"\n"), ExpectError: acctest.Said(`Not authorized.*initial_password`)},
			{
				PreConfig: func() { f.fault(`{"newLogin":true}`) }, // where Rancher 2.13 has it
				Config:    f.config(password(first)), ConfigStateChecks: []statecheck.StateCheck{expect("should_update_password", knownvalue.Bool(false))}, Check: f.is(first, 0),
			},
		},
	})
}

// The write-only password is in no state.
func TestAccBootstrap_writeOnly(t *testing.T) {
	t.Parallel()
	f := newCluster(t)
	hidden := func(initial, text string, version int) string {
		return f.config(fmt.Sprintf("  initial_password = %q\n  password_wo = %q\n  password_wo_version = %d\n", initial, text, version))
	}
	nothing := func(s *terraform.State) error {
		if strings.Contains(s.String(), second) {
			return fmt.Errorf("the state holds the password")
		}
		return nil
	}
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		Steps: []resource.TestStep{
			{Config: hidden("admin", first, 1), Check: f.is(first, 3), ConfigStateChecks: []statecheck.StateCheck{expect("password", knownvalue.Null()), expect("password_wo", knownvalue.Null())}},
			{Config: hidden("admin", second, 1), ConfigPlanChecks: planned(plancheck.ResourceActionNoop), Check: f.is(first, 3)},
			{Config: hidden(first, second, 2), ConfigPlanChecks: planned(plancheck.ResourceActionUpdate), Check: resource.ComposeTestCheckFunc(f.is(second, 5), nothing)},
		},
	})
}

// The file of somebody else, and a server with another certificate, are refused before anything is sent.
func TestAccBootstrap_refused(t *testing.T) {
	t.Parallel()
	f := newCluster(t)
	if err := os.WriteFile(f.file, []byte("apiVersion: v1\nkind: Config\nclusters: [{name: a, cluster: {server: \"https://192.0.2.1\"}}]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	plain := strings.Replace(f.config(password(first)), "bootstrap = true", "", 1)
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		Steps: []resource.TestStep{
			{Config: f.config(password(first)), PlanOnly: true, ExpectError: acctest.Said(`File in use.*another cluster.*overwrite`)},
			{Config: plain, PlanOnly: true, ExpectError: acctest.Said(`Provider not in bootstrap mode`)},
			{
				Config:      f.config(password(first)) + "resource \"harvester_ssh_key\" \"a\" {\n  name = \"a\"\n  public_key = \"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHHnG2Z2f9WjDhCoCWXgi8CIa8Lz8QSQ8SJcVBrR1Jd2\"\n}\n",
				ExpectError: acctest.Said(`Provider in bootstrap mode`),
			},
			{Config: strings.Replace(f.config(password(first)), "bootstrap = true", "bootstrap = true\n  kubeconfig = \"x\"", 1), ExpectError: acctest.Said(`Contradicting arguments`)},
			{Config: f.config(password(first) + "  overwrite = true\n"), Check: f.is(first, 3)},
		},
	})
}

// With the authority of the server nothing is taken on trust.
func TestAccBootstrap_authority(t *testing.T) {
	t.Parallel()
	f := newCluster(t)
	text, err := os.ReadFile(f.Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`certificate-authority-data: (\S+)`).FindSubmatch(text)
	if found == nil {
		t.Fatal("the kubeconfig of the sandbox names no authority")
	}
	authority := fmt.Sprintf("  ca_certificate = base64decode(%q)\n", found[1])
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		Steps: []resource.TestStep{
			{Config: f.config(password(first) + authority), ConfigStateChecks: []statecheck.StateCheck{expect("certificate_sha256", knownvalue.StringExact(""))}},
			{Config: f.config(password(first) + authority), ConfigPlanChecks: planned(plancheck.ResourceActionNoop)},
		},
	})
}
