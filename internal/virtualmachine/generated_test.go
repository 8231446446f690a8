// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package virtualmachine

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/provider"
	"github.com/hashicorp/terraform-plugin-framework/providerserver"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/tfsdk"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
	corev1 "k8s.io/api/core/v1"
	apiresource "k8s.io/apimachinery/pkg/api/resource"
	kubevirtv1 "kubevirt.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"github.com/harvester-community/terraform-provider-harvester/internal/virtualmachine/cloudinit"
)

// alone is a provider with nothing but this resource, and no cluster.
type alone struct{}

func (alone) Metadata(_ context.Context, _ provider.MetadataRequest, resp *provider.MetadataResponse) {
	resp.TypeName = "harvester"
}
func (alone) Schema(context.Context, provider.SchemaRequest, *provider.SchemaResponse)          {}
func (alone) Configure(context.Context, provider.ConfigureRequest, *provider.ConfigureResponse) {}
func (alone) DataSources(context.Context) []func() datasource.DataSource                        { return nil }

func (alone) Resources(context.Context) []func() resource.Resource {
	return []func() resource.Resource{NewResource}
}

// generated is the configuration that Terraform writes for an imported state (plan
// -generate-config-out): what is only computed or deprecated is left out, and "" is null.
func generated(t *testing.T, state tftypes.Value) tftypes.Value {
	t.Helper()
	s := vmSchema()
	config, err := tftypes.Transform(state, func(at *tftypes.AttributePath, value tftypes.Value) (tftypes.Value, error) {
		attribute, err := s.AttributeAtTerraformPath(t.Context(), at)
		if err != nil {
			return value, nil //nolint:nilerr // a block, or an element of a list
		}
		text := ""
		if value.Type().Is(tftypes.String) && !value.IsNull() {
			_ = value.As(&text)
		}
		empty := value.Type().Is(tftypes.String) && text == "" && attribute.IsOptional()
		if attribute.IsComputed() && !attribute.IsOptional() || attribute.GetDeprecationMessage() != "" || empty {
			return tftypes.NewValue(value.Type(), nil), nil
		}
		return value, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return config
}

// proposed merges a configuration with the prior state as Terraform does before it asks for a plan.
func proposed(t *testing.T, config, state tftypes.Value) tftypes.Value {
	t.Helper()
	s := vmSchema()
	merged, err := tftypes.Transform(config, func(at *tftypes.AttributePath, value tftypes.Value) (tftypes.Value, error) {
		attribute, err := s.AttributeAtTerraformPath(t.Context(), at)
		if err != nil || !attribute.IsComputed() || !value.IsNull() {
			return value, nil //nolint:nilerr // a block, or an element of a list
		}
		old, _, err := tftypes.WalkAttributePath(state, at)
		if err != nil {
			return value, nil //nolint:nilerr // the state has no such block
		}
		return old.(tftypes.Value), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return merged
}

func dynamic(t *testing.T, value tftypes.Value) *tfprotov6.DynamicValue {
	t.Helper()
	result, err := tfprotov6.NewDynamicValue(vmSchema().Type().TerraformType(t.Context()), value)
	if err != nil {
		t.Fatal(err)
	}
	return &result
}

func noProblem(t *testing.T, doing string, diags []*tfprotov6.Diagnostic) {
	t.Helper()
	for _, d := range diags {
		t.Errorf("%s: %s %s: %s", doing, d.Attribute, d.Summary, d.Detail)
	}
}

// dashboardMachine reads a machine of the fixtures.
func dashboardMachine(t *testing.T, file string) *kubevirtv1.VirtualMachine {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "import", file))
	if err != nil {
		t.Fatal(err)
	}
	vm := &kubevirtv1.VirtualMachine{}
	if err := yaml.Unmarshal([]byte(strings.NewReplacer("NAME", "vm", "CLASS", "lh-1").Replace(string(text))), vm); err != nil {
		t.Fatal(err)
	}
	vm.Namespace, vm.UID = "default", "uid-vm"
	return vm
}

// The configuration that Terraform generates for an imported machine is accepted, and changes nothing.
func TestGeneratedConfiguration(t *testing.T) {
	t.Parallel()
	ours := live(t, rich())
	ours.UID = "uid-vm"
	long := ours.DeepCopy()
	cloudinit.Seed{Kind: cloudinit.TypeNoCloud, UserDataSecret: "any", NetworkData: "version: 2"}.Onto(&long.Spec.Template.Spec)
	secret := ownedSecret(long, "any", map[string][]byte{cloudinit.KeyUserData: []byte("#cloud-config\n#" + strings.Repeat("x", 3000))})
	devices := withDomain(kubevirtv1.DomainSpec{Devices: kubevirtv1.Devices{
		Disks: []kubevirtv1.Disk{
			{Name: "drive", DiskDevice: kubevirtv1.DiskDevice{CDRom: &kubevirtv1.CDRomTarget{Bus: kubevirtv1.DiskBusUSB}}},
			{Name: "plugged", DiskDevice: kubevirtv1.DiskDevice{Disk: &kubevirtv1.DiskTarget{Bus: kubevirtv1.DiskBusSCSI}}},
			{Name: "container", DiskDevice: kubevirtv1.DiskDevice{Disk: &kubevirtv1.DiskTarget{}}},
		},
		Interfaces: []kubevirtv1.Interface{
			{Name: "a", InterfaceBindingMethod: kubevirtv1.InterfaceBindingMethod{SRIOV: &kubevirtv1.InterfaceSRIOV{}}},
			{Name: "b", Binding: &kubevirtv1.PluginBinding{Name: "passt"}, Model: "e1000e"},
			{Name: "c", Binding: &kubevirtv1.PluginBinding{Name: "managedtap"}},
			{Name: "d"},
		},
		TPM:         &kubevirtv1.TPMDevice{},
		Inputs:      []kubevirtv1.Input{{Name: "tablet", Type: "tablet"}, {Name: "second", Type: "tablet", Bus: "virtio"}},
		HostDevices: []kubevirtv1.HostDevice{{Name: "card", DeviceName: "vendor.com/card"}},
	}})
	for _, name := range []string{"a", "b", "c"} {
		devices.Spec.Template.Spec.Networks = append(devices.Spec.Template.Spec.Networks, kubevirtv1.Network{
			Name: name, NetworkSource: kubevirtv1.NetworkSource{Multus: &kubevirtv1.MultusNetwork{NetworkName: "default/vlan"}},
		})
	}
	devices.Spec.Template.Spec.Volumes = []kubevirtv1.Volume{
		{Name: "plugged", VolumeSource: kubevirtv1.VolumeSource{PersistentVolumeClaim: &kubevirtv1.PersistentVolumeClaimVolumeSource{
			PersistentVolumeClaimVolumeSource: corev1.PersistentVolumeClaimVolumeSource{ClaimName: "theirs"}, Hotpluggable: true,
		}}},
		{Name: "container", VolumeSource: kubevirtv1.VolumeSource{ContainerDisk: &kubevirtv1.ContainerDiskSource{Image: "example.com/disk:1"}}},
	}
	// Size and memory are those of an instance type; keys are noted, but there are no cloud-init data to hold them.
	plain := withDomain(kubevirtv1.DomainSpec{Devices: kubevirtv1.Devices{
		Disks: []kubevirtv1.Disk{{Name: "root"}}, Interfaces: []kubevirtv1.Interface{{Name: "default"}},
	}})
	plain.Spec.Template.Spec.Volumes = []kubevirtv1.Volume{*mountedAt("root", "theirs")}
	plain.Spec.Template.ObjectMeta.Annotations = map[string]string{annotationSSHNames: `["default/mine"]`}
	limited := ours.DeepCopy()
	limited.Spec.Template.Spec.Domain.CPU.DedicatedCPUPlacement, limited.Spec.Template.Spec.Domain.CPU.IsolateEmulatorThread = false, false
	limited.Spec.Template.Spec.Domain.Resources.Requests = corev1.ResourceList{
		corev1.ResourceCPU: apiresource.MustParse("125m"), corev1.ResourceMemory: apiresource.MustParse("2730Mi"),
	}
	for name, seen := range map[string]sight{
		"ours":             {vm: ours},
		"long user data":   {vm: long, secrets: []*corev1.Secret{secret}},
		"an unread Secret": {vm: long},
		"requests":         {vm: limited},
		"ui-linux":         {vm: dashboardMachine(t, "ui-linux.yaml")},
		"ui-windows":       {vm: dashboardMachine(t, "ui-windows.yaml")},
		"kubectl":          {vm: dashboardMachine(t, "kubectl.yaml")},
		"hotplug":          {vm: dashboardMachine(t, "hotplug.yaml")},
		"devices":          {vm: &devices},
		"next to nothing":  {vm: &plain},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := vmSchema()
			state := tfsdk.State{Schema: s, Raw: tftypes.NewValue(s.Type().TerraformType(t.Context()), nil)}
			back := readInto(t, imported(), seen)
			back.RestartAfterUpdate, back.CreateInitialSnapshot = types.BoolValue(false), types.BoolValue(false)
			noError(t, state.Set(t.Context(), back.model))
			config := generated(t, state.Raw)

			server, err := providerserver.NewProtocol6WithError(alone{})()
			if err != nil {
				t.Fatal(err)
			}
			valid, err := server.ValidateResourceConfig(t.Context(), &tfprotov6.ValidateResourceConfigRequest{TypeName: Type, Config: dynamic(t, config)})
			if err != nil {
				t.Fatal(err)
			}
			noProblem(t, "validate", valid.Diagnostics)
			plan, err := server.PlanResourceChange(t.Context(), &tfprotov6.PlanResourceChangeRequest{
				TypeName: Type, Config: dynamic(t, config), PriorState: dynamic(t, state.Raw), ProposedNewState: dynamic(t, proposed(t, config, state.Raw)),
			})
			if err != nil {
				t.Fatal(err)
			}
			noProblem(t, "plan", plan.Diagnostics)
			if len(plan.RequiresReplace) > 0 {
				t.Errorf("replaced by %v", plan.RequiresReplace)
			}
			after, err := plan.PlannedState.Unmarshal(s.Type().TerraformType(t.Context()))
			if err != nil {
				t.Fatal(err)
			}
			differences, err := state.Raw.Diff(after)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range differences {
				if d.Value1 == nil || d.Value1.Type().Is(tftypes.String) || d.Value1.Type().Is(tftypes.Number) || d.Value1.Type().Is(tftypes.Bool) {
					t.Errorf("changed: %s", d)
				}
			}
		})
	}
}
