// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package setting_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/terraform"
	"github.com/hashicorp/terraform-plugin-testing/tfjsonpath"

	"github.com/harvester-community/terraform-provider-harvester/internal/acctest"
	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
)

// Settings are the whole cluster's, so that each test has some of its own, which no other test of this provider heeds.

const address = "harvester_setting.test"

func config(name, arguments string) string {
	return fmt.Sprintf("resource \"harvester_setting\" \"test\" {\n  name = %q\n%s\n}\n", name, arguments)
}

func valued(name, value string) string { return config(name, fmt.Sprintf("  value = %q", value)) }

func expect(attribute string, value knownvalue.Check) statecheck.StateCheck {
	return statecheck.ExpectKnownValue(address, tfjsonpath.New(attribute), value)
}

func text(value string) knownvalue.Check { return knownvalue.StringExact(value) }

func planned(action plancheck.ResourceActionType) resource.ConfigPlanChecks {
	return resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{plancheck.ExpectResourceAction(address, action)}}
}

type cluster struct {
	*acctest.Cluster
	settings kube.Resource[api.Setting]
}

func shared(t *testing.T) cluster {
	t.Helper()
	c := acctest.Shared(t)
	return cluster{c, kube.For[api.Setting](c.Client, api.Settings, "Setting")}
}

// set gives a setting a value by other hands than Terraform's.
func (c cluster) set(t *testing.T, name, value string) {
	t.Helper()
	if _, err := c.settings.Patch(t.Context(), "", name, map[string]any{"value": value}); err != nil {
		t.Fatal(err)
	}
}

// ends wants the setting to have that value, and nothing of Terraform's on it.
func (c cluster) ends(t *testing.T, name, value string) func(*terraform.State) error {
	t.Helper()
	t.Cleanup(func() { _, _ = c.settings.Patch(context.Background(), "", name, map[string]any{"value": ""}) })
	return func(*terraform.State) error {
		setting, err := c.settings.Get(context.Background(), "", name)
		if err != nil {
			return err
		}
		if left := fmt.Sprint(setting.Labels, setting.Annotations); setting.Value != value || strings.Contains(left, "terraform") || strings.Contains(left, "team") {
			return fmt.Errorf("the setting %s ends with %q and %s", name, setting.Value, left)
		}
		return nil
	}
}

// A setting is there before and after; what Terraform put there is gone in the end. Official bugs S2 (spelling), S3 and S6.
func TestAccSetting_lifecycle(t *testing.T) {
	t.Parallel()
	c := shared(t)
	const name = "ntp-servers"
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy:             c.ends(t, name, ""),
		Steps: []resource.TestStep{
			{
				Config: config(name, `
  value       = jsonencode({ ntpServers = ["a.example.org", "b.example.org"] })
  description = "ours"
  labels      = { team = "blue" }
  tags        = { tier = "1" }`),
				ConfigPlanChecks: planned(plancheck.ResourceActionCreate),
				ConfigStateChecks: []statecheck.StateCheck{
					expect("id", text(name)), expect("state", text("Configured")), expect("message", text("")), expect("default", text("")),
					expect("effective_value", text(`{"ntpServers":["a.example.org","b.example.org"]}`)), expect("on_destroy", knownvalue.Null()),
				},
			},
			{
				Config: config(name, `
  value       = "{ \"ntpServers\": [ \"a.example.org\", \"b.example.org\" ] }"
  description = "ours"
  labels      = { team = "blue" }
  tags        = { tier = "1" }`),
				ConfigPlanChecks: planned(plancheck.ResourceActionNoop),
			},
			{
				Config: config(name, `
  value  = jsonencode({ ntpServers = ["b.example.org", "a.example.org"] })
  labels = { team = "red" }`),
				ConfigPlanChecks: planned(plancheck.ResourceActionUpdate), // their order counts
				ConfigStateChecks: []statecheck.StateCheck{
					expect("description", knownvalue.Null()), expect("value", text(`{"ntpServers":["b.example.org","a.example.org"]}`)),
				},
			},
			{ResourceName: address, ImportState: true, ImportStateId: name, ImportStateVerify: true},
			{ // drift is seen, and undone
				PreConfig: func() { c.set(t, name, `{"ntpServers":["other.example.org"]}`) },
				Config: config(name, `
  value  = jsonencode({ ntpServers = ["b.example.org", "a.example.org"] })
  labels = { team = "red" }`),
				ConfigPlanChecks: planned(plancheck.ResourceActionUpdate),
			},
			{ // the server's default again
				Config:            config(name, `  labels = { team = "red" }`),
				ConfigPlanChecks:  planned(plancheck.ResourceActionUpdate),
				ConfigStateChecks: []statecheck.StateCheck{expect("state", text("Default")), expect("value", knownvalue.Null())},
			},
			{Config: valued(name, `{"ntpServers":["c.example.org"]}`), ConfigPlanChecks: planned(plancheck.ResourceActionUpdate)},
		},
	})
}

// Official bug S5: what the setting was before is lost.
func TestAccSetting_restore(t *testing.T) {
	t.Parallel()
	c := shared(t)
	const name = "support-bundle-timeout"
	c.set(t, name, "33")
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy:             c.ends(t, name, "33"),
		Steps: []resource.TestStep{
			{Config: config(name, "  value = \"44\"\n  on_destroy = \"restore\""), ConfigStateChecks: []statecheck.StateCheck{expect("value", text("44")), expect("default", text("50"))}},
			{Config: config(name, "  value = \"45\"\n  on_destroy = \"restore\""), ConfigPlanChecks: planned(plancheck.ResourceActionUpdate)},
		},
	})
}

// A value that nobody has noted cannot be restored; one can be kept.
func TestAccSetting_keep(t *testing.T) {
	t.Parallel()
	c := shared(t)
	const name = "support-bundle-expiration"
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy:             c.ends(t, name, "44"),
		Steps: []resource.TestStep{
			{Config: valued(name, "44")},
			{Config: config(name, "  value = \"44\"\n  on_destroy = \"restore\""), ExpectError: acctest.Said("Nothing to restore")},
			{Config: config(name, "  value = \"44\"\n  on_destroy = \"keep\""), ConfigPlanChecks: planned(plancheck.ResourceActionUpdate)},
		},
	})
}

// What others set between the last look and the deletion is theirs. A refresh would show it first, so that the state is
// the one that Terraform destroys without it.
func TestAccSetting_othersValueStays(t *testing.T) {
	t.Parallel()
	c := shared(t)
	const name = "support-bundle-node-collection-timeout"
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy:             c.ends(t, name, "66"),
		Steps: []resource.TestStep{
			{Config: valued(name, "44")},
			{PreConfig: func() { c.set(t, name, "66") }, Config: " "},
		},
	})
}

// Of a write-only value nothing is in the state, and others' values are still noticed.
func TestAccSetting_writeOnly(t *testing.T) {
	t.Parallel()
	c := shared(t)
	const name = "ui-plugin-index"
	hidden := func(value string, version int) string {
		return config(name, fmt.Sprintf("  value_wo = %q\n  value_wo_version = %d", value, version))
	}
	is := func(want string) resource.TestCheckFunc {
		return func(*terraform.State) error {
			setting, err := c.settings.Get(t.Context(), "", name)
			if err == nil && setting.Value != want {
				err = fmt.Errorf("the value is %q, not %q", setting.Value, want)
			}
			return err
		}
	}
	nothing := []statecheck.StateCheck{expect("value", knownvalue.Null()), expect("value_wo", knownvalue.Null()), expect("effective_value", knownvalue.Null())}
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy:             c.ends(t, name, ""),
		Steps: []resource.TestStep{
			{Config: hidden("https://one.example.org", 1), ConfigStateChecks: nothing, Check: is("https://one.example.org")},
			{Config: hidden("https://two.example.org", 1), ConfigPlanChecks: planned(plancheck.ResourceActionNoop), Check: is("https://one.example.org")},
			{Config: hidden("https://two.example.org", 2), ConfigPlanChecks: planned(plancheck.ResourceActionUpdate), ConfigStateChecks: nothing, Check: is("https://two.example.org")},
			{
				PreConfig: func() { c.set(t, name, "https://others.example.org") },
				Config:    hidden("https://two.example.org", 2), ConfigPlanChecks: planned(plancheck.ResourceActionUpdate), Check: is("https://two.example.org"),
			},
			{Config: config(name, `  value_wo = "a"`), ExpectError: acctest.Said(`needs value_wo_version`)},
			{Config: config(name, "  value = \"a\"\n  value_wo = \"a\"\n  value_wo_version = 1"), ExpectError: acctest.Said(`takes the place of value`)},
			{Config: valued(name, "https://three.example.org"), Check: is("https://three.example.org")},
		},
	})
}

// What Harvester's webhook refuses is refused in the plan, in its words, and nothing is changed.
func TestAccSetting_refusedInPlan(t *testing.T) {
	t.Parallel()
	acctest.Shared(t)
	for name, test := range map[string]struct{ setting, value, want string }{
		"overcommit":     {"overcommit-config", `{"cpu":1,"memory":150,"storage":200}`, `Cannot undercommit`},
		"reset policy":   {"vm-force-reset-policy", `{"enable":true,"period":0}`, `period`},
		"NTP scheme":     {"ntp-servers", `{"ntpServers":["http://a.example.org"]}`, `ntp`},
		"NTP twice":      {"ntp-servers", `{"ntpServers":["a.example.org","a.example.org"]}`, `duplicate`},
		"VIP pool":       {"vip-pools", `{"default":"10.0.0.300/24"}`, `CIDR`},
		"TLS protocol":   {"ssl-parameters", `{"protocols":"TLSv9","ciphers":""}`, `TLSv9`},
		"bundle image":   {"support-bundle-image", `{"repository":"","tag":"a","imagePullPolicy":"Always"}`, `can't be blank`},
		"hot-plug ratio": {"max-hotplug-ratio", `400`, `400`},
		"certificates":   {"ssl-certificates", `{"ca":"x","publicCertificate":"y","privateKey":"z"}`, `failed to locate certificate`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			resource.Test(t, resource.TestCase{
				ProtoV6ProviderFactories: acctest.Factories,
				Steps: []resource.TestStep{{
					Config: valued(test.setting, test.value), PlanOnly: true,
					ExpectError: acctest.Said(`(?is)` + test.want + `.*asked\s+without\s+changing`),
				}},
			})
		})
	}
}

// A mistake that needs no cluster is refused before, and a name that the server does not know with those that it has.
func TestAccSetting_invalid(t *testing.T) {
	t.Parallel()
	acctest.Shared(t)
	step := func(name, value, want string) resource.TestStep {
		return resource.TestStep{Config: valued(name, value), PlanOnly: true, ExpectError: acctest.Said(`` + want)}
	}
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		Steps: []resource.TestStep{
			step("ntp-servers", `{"ntpServers":[}`, `Invalid value of a setting.*line 1, byte 16`),
			step("log-level", "loud", `Invalid value of a setting.*must be one of`),
			step("support-bundle-timeout", "soon", `Invalid value of a setting.*whole number`),
			step("ntp-server", "{}", `No such setting.*no setting "ntp-server".*ntp-servers`),
			{Config: config("ui-index", "  on_destroy = \"burn\""), PlanOnly: true, ExpectError: acctest.Said(`on_destroy`)},
			{Config: config("ui-index", "") + "import {\n  to = harvester_setting.test\n  id = \"no-such-setting\"\n}\n", ExpectError: acctest.Said(`Cannot import non-existent`)},
		},
	})
}

// Whether Harvester takes some values depends on other objects, so that the plan only warns. Apply refuses, at once and in
// the server's words.
func TestAccSetting_refusedInApply(t *testing.T) {
	t.Parallel()
	c := shared(t)
	for setting, test := range map[string]struct{ value, want string }{
		"volume-snapshot-class": {"missing", `missing`},
		"storage-network":       {`{"vlan":100,"clusterNetwork":"missing","range":"192.168.0.0/24"}`, `missing`},
		"http-proxy":            {`{"httpProxy":"http://u:hunter22@127.0.0.1:1","noProxy":"127.0.0.1"}`, `noProxy`},
		"rancher-cluster":       {`{"removeUpstreamClusterWhenNamespaceIsDeleted":true}`, `secret not found`},
		"upgrade-config":        {`{"nodeUpgradeOption":{"strategy":{"mode":"manual","pauseNodes":["missing"]}}}`, `missing`},
	} {
		t.Run(setting, func(t *testing.T) {
			t.Parallel()
			resource.Test(t, resource.TestCase{
				ProtoV6ProviderFactories: acctest.Factories,
				CheckDestroy:             c.ends(t, setting, ""),
				Steps: []resource.TestStep{
					{Config: valued(setting, test.value), ExpectNonEmptyPlan: true, PlanOnly: true},
					{Config: valued(setting, test.value), ExpectError: acctest.Said(`` + test.want + `.*left\s+as\s+it\s+was`)},
				},
			})
		})
	}
}

// Official bug S3: apply succeeded although Harvester could not apply the value. Its reason shows the address, in which a
// token stands.
func TestAccSetting_notApplied(t *testing.T) {
	t.Parallel()
	c := shared(t)
	const name = "cluster-registration-url"
	value := `{"url":"https://127.0.0.1:1/v3/import/t0k3n-of-rancher.yaml","insecureSkipTLSVerify":true}`
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy:             c.ends(t, name, ""),
		Steps: []resource.TestStep{{
			Config:      valued(name, value),
			ExpectError: acctest.Said(`Setting not applied.*Get "\*\*\*":.*connection\s+refused.*The value is set`),
		}},
	})
}

// Harvester gives a registry's passwords back no more than those of a backup target (official bug S1).
func TestAccSetting_registry(t *testing.T) {
	t.Parallel()
	c := shared(t)
	const name = "containerd-registry"
	registry := func(password string) string {
		return config(name, fmt.Sprintf(`
  value = jsonencode({
    Mirrors = { "docker.io" = { Endpoints = ["https://mirror.example.org"] } }
    Configs = { "mirror.example.org" = { Auth = { Username = "ci", Password = %q } } }
  })`, password))
	}
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy:             c.ends(t, name, ""),
		Steps: []resource.TestStep{
			{Config: registry("hunter22"), ConfigStateChecks: []statecheck.StateCheck{expect("state", text("Configured"))}},
			{
				Config: registry("hunter22"), ConfigPlanChecks: planned(plancheck.ResourceActionNoop),
				Check: func(*terraform.State) error {
					setting, err := c.settings.Get(t.Context(), "", name)
					if err == nil && strings.Contains(setting.Value, "hunter22") {
						err = fmt.Errorf("the sandbox does not take out passwords: %s", setting.Value)
					}
					return err
				},
			},
			{Config: registry("hunter33"), ConfigPlanChecks: planned(plancheck.ResourceActionUpdate)},
		},
	})
}

func TestAccSetting_dataSource(t *testing.T) {
	t.Parallel()
	c := shared(t)
	const name = "release-download-url"
	c.set(t, name, "https://mirror.example.org")
	t.Cleanup(func() { _, _ = c.settings.Patch(context.Background(), "", name, map[string]any{"value": ""}) })
	show := func(attribute, value string) statecheck.StateCheck {
		return statecheck.ExpectKnownValue("data."+address, tfjsonpath.New(attribute), text(value))
	}
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		Steps: []resource.TestStep{
			{
				Config: fmt.Sprintf("data \"harvester_setting\" \"test\" {\n  name = %q\n}\n", name),
				ConfigStateChecks: []statecheck.StateCheck{
					show("value", "https://mirror.example.org"), show("effective_value", "https://mirror.example.org"),
					show("default", "https://releases.rancher.com/harvester"), show("state", "Configured"), show("id", name),
				},
			},
			{Config: "data \"harvester_setting\" \"test\" {\n  name = \"missing\"\n}\n", ExpectError: acctest.Said(`There is no setting "missing"`)},
		},
	})
}

// A state of the official provider, with "" for what is not set.
func TestAccSetting_official(t *testing.T) {
	t.Parallel()
	c := shared(t)
	const name = "csi-online-expand-validation"
	c.set(t, name, `{"driver.longhorn.io":true,"other.example.org":false}`)
	t.Cleanup(func() { _, _ = c.settings.Patch(context.Background(), "", name, map[string]any{"value": ""}) })
	c.TakesOver(t, "harvester_setting",
		`{"id":"csi-online-expand-validation","name":"csi-online-expand-validation","description":"","labels":{},"tags":{},"message":"","state":"",
		  "value":"{\"driver.longhorn.io\":true,\"other.example.org\":false}","timeouts":null}`,
		`{"name":"csi-online-expand-validation","value":"{ \"other.example.org\": false, \"driver.longhorn.io\": true }"}`)
}
