// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package schedulebackup_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/terraform"
	"github.com/hashicorp/terraform-plugin-testing/tfjsonpath"

	"github.com/harvester-community/terraform-provider-harvester/internal/acctest"
	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
)

// A cluster has one backup target. All tests that set it are here, and not parallel.

const (
	targetAddress = "harvester_setting.target"
	accessKey     = "sandbox-access-key" // the only one that the sandbox's store knows
)

// target is a backup target in the sandbox's store.
func (c cluster) target(t *testing.T, bucket, key, secret string) string {
	t.Helper()
	return fmt.Sprintf(`
resource "harvester_setting" "target" {
  name  = "backup-target"
  value = jsonencode({
    type = "s3", endpoint = %q, bucketName = %q, bucketRegion = "us-east-1", accessKeyId = %q, secretAccessKey = %q
  })
}
`, c.Backups(t), bucket, key, secret)
}

func (c cluster) settings() kube.Resource[api.Setting] {
	return kube.For[api.Setting](c.Client, api.Settings, "Setting")
}

// idle waits until no backup is being made: Harvester changes no target then, and other tests make snapshots.
func (c cluster) idle(t *testing.T) {
	t.Helper()
	backups := kube.For[api.VirtualMachineBackup](c.Client, api.VirtualMachineBackups, "VirtualMachineBackup")
	acctest.Eventually(t, "no backup is being made", func(ctx context.Context) bool {
		all, err := backups.List(ctx, "", "")
		return err == nil && !slices.ContainsFunc(all, func(b api.VirtualMachineBackup) bool {
			return b.DeletionTimestamp != nil || b.Status.Error == nil && (b.Status.ReadyToUse == nil || !*b.Status.ReadyToUse)
		})
	})
}

// ended wants the target to be as it was in the beginning.
func (c cluster) ended(t *testing.T) func(*terraform.State) error {
	t.Helper()
	t.Cleanup(func() {
		_, _ = c.settings().Patch(context.Background(), "", api.SettingBackupTarget, map[string]any{"value": ""})
	})
	return func(*terraform.State) error {
		setting, err := c.settings().Get(context.Background(), "", api.SettingBackupTarget)
		if err == nil && setting.Value != "" {
			err = fmt.Errorf("the backup target is still %s", setting.Value)
		}
		return err
	}
}

func plannedTarget(action plancheck.ResourceActionType) resource.ConfigPlanChecks {
	return resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{plancheck.ExpectResourceAction(targetAddress, action)}}
}

// Official bug S1: Harvester takes the keys out of the value, which was a change in every plan.
func TestAccBackupTarget_lifecycle(t *testing.T) {
	c := shared(t)
	c.idle(t)
	stripped := func(bucket string) func(*terraform.State) error {
		return func(*terraform.State) error {
			setting, err := c.settings().Get(t.Context(), "", api.SettingBackupTarget)
			if err == nil && (strings.Contains(setting.Value, "very-secret") || !strings.Contains(setting.Value, bucket)) {
				err = fmt.Errorf("the server has %s", setting.Value)
			}
			return err
		}
	}
	configured := []statecheck.StateCheck{statecheck.ExpectKnownValue(targetAddress, tfjsonpath.New("state"), text("Configured"))}
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy:             c.ended(t),
		Steps: []resource.TestStep{
			{Config: c.target(t, "backups", "other-key", "very-secret-1"), ExpectError: acctest.Said(`InvalidAccessKeyId.*left\s+as\s+it\s+was`)},
			{Config: c.target(t, "missing", accessKey, "very-secret-1"), ExpectError: acctest.Said(`NoSuchBucket.*left\s+as\s+it\s+was`)},
			{Config: c.target(t, "backups", accessKey, "very-secret-1"), ConfigStateChecks: configured, Check: stripped("backups")},
			{Config: c.target(t, "backups", accessKey, "very-secret-1"), ConfigPlanChecks: plannedTarget(plancheck.ResourceActionNoop)},
			{Config: c.target(t, "backups", accessKey, "very-secret-2"), ConfigPlanChecks: plannedTarget(plancheck.ResourceActionUpdate), Check: stripped("backups")},
			{Config: c.target(t, "others", accessKey, "very-secret-2"), ConfigPlanChecks: plannedTarget(plancheck.ResourceActionUpdate), ConfigStateChecks: configured, Check: stripped("others")},
			{
				ResourceName: targetAddress, ImportState: true, ImportStateId: api.SettingBackupTarget, ImportStateVerify: true,
				ImportStateVerifyIgnore: []string{"value", "effective_value"}, // which lack the keys
			},
			{Config: c.target(t, "missing", accessKey, "very-secret-2"), ExpectError: acctest.Said(`NoSuchBucket.*left\s+as\s+it\s+was`), Check: stripped("others")},
		},
	})
}

// A schedule of backups needs the target, which may come in the same run.
func TestAccScheduleBackup_toTarget(t *testing.T) {
	c, name := shared(t), acctest.Name(t)
	c.idle(t)
	c.machine(t, name)
	backups := func(arguments string) string { return config(name, "0 18 * * *", of(name)+arguments) }
	after := "  depends_on = [harvester_setting.target]\n"
	target := c.target(t, "backups", accessKey, "very-secret-1")
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy:             c.ended(t),
		Steps: []resource.TestStep{
			{Config: backups(""), PlanOnly: true, ExpectError: acctest.Said(`No backup target.*depends_on`)},
			{Config: target + backups(after), ConfigStateChecks: []statecheck.StateCheck{expect("type", text("backup")), expect("state", text("Active"))}},
			{Config: target + backups(after+"  enabled = false\n"), ConfigPlanChecks: planned(plancheck.ResourceActionUpdate)},
			{Config: target + backups(after), ConfigPlanChecks: planned(plancheck.ResourceActionUpdate)},
			{ResourceName: address, ImportState: true, ImportStateVerify: true, ImportStateVerifyIgnore: []string{"vm_name"}},
		},
	})
}

// After a state of the official provider, which has no keys, nothing is to do; that the keys are not compared is said.
func TestAccBackupTarget_official(t *testing.T) {
	c := shared(t)
	c.idle(t)
	_ = c.ended(t)
	value := func(key, secret string) string {
		return fmt.Sprintf(`{\"type\":\"s3\",\"endpoint\":\"%s\",\"accessKeyId\":\"%s\",\"secretAccessKey\":\"%s\",\"bucketName\":\"backups\",\"bucketRegion\":\"us-east-1\",\"cert\":\"\",\"virtualHostedStyle\":false}`,
			c.Backups(t), key, secret)
	}
	if _, err := c.settings().Patch(t.Context(), "", api.SettingBackupTarget, map[string]any{"value": strings.ReplaceAll(value(accessKey, "very-secret-1"), `\`, "")}); err != nil {
		t.Fatal(err)
	}
	acctest.Eventually(t, "the keys are taken out", func(ctx context.Context) bool {
		setting, err := c.settings().Get(ctx, "", api.SettingBackupTarget)
		return err == nil && !strings.Contains(setting.Value, "very-secret")
	})
	state := `{"id":"backup-target","name":"backup-target","description":"","labels":{},"tags":{},"message":"","state":"Configured","value":"` + value("", "") + `","timeouts":null}`
	warned := c.TakesOver(t, "harvester_setting", state, `{"name":"backup-target","value":"`+value(accessKey, "very-secret-1")+`"}`)
	if !slices.Contains(warned, "Credentials not compared") {
		t.Errorf("it warns of %q", warned)
	}
}
