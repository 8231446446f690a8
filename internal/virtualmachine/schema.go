// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package virtualmachine

import (
	"maps"
	"time"

	"github.com/hashicorp/terraform-plugin-framework-validators/int64validator"
	"github.com/hashicorp/terraform-plugin-framework-validators/listvalidator"
	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/booldefault"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/int64default"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/int64planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringdefault"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"
	kubevirtv1 "kubevirt.io/api/core/v1"

	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
	"github.com/harvester-community/terraform-provider-harvester/internal/virtualmachine/arg"
	"github.com/harvester-community/terraform-provider-harvester/internal/virtualmachine/cloudinit"
	"github.com/harvester-community/terraform-provider-harvester/internal/virtualmachine/device"
	"github.com/harvester-community/terraform-provider-harvester/internal/virtualmachine/disk"
	"github.com/harvester-community/terraform-provider-harvester/internal/virtualmachine/nic"
	"github.com/harvester-community/terraform-provider-harvester/internal/virtualmachine/placement"
)

// mostCPUs is far beyond what KubeVirt gives a machine; it keeps the numbers in what its fields hold.
const mostCPUs = 1 << 16

// limits are generous: cloning a big image onto slow disks, or a first boot that
// has to bring an address, takes its time, and a timeout taints the machine.
var limits = tfbase.Limits{Create: 15 * time.Minute, Read: 2 * time.Minute, Update: 15 * time.Minute, Delete: 10 * time.Minute}

func vmSchema() schema.Schema {
	return schema.Schema{
		Version: tfbase.SchemaVersion,
		MarkdownDescription: "A virtual machine. Plan and apply refuse one whose image is missing, incomplete, failed or too large for its disk. " +
			"Creation ends when the machine runs (and has its addresses, where `wait_for_lease` asks for them), or fails with what the cluster says.",
		Attributes: attributes(),
		Blocks: map[string]schema.Block{
			"disk":              disk.Block(),
			"network_interface": nic.Block(),
			"cloudinit":         cloudinit.Block(),
			"input":             device.InputBlock(),
			"tpm":               device.TPMBlock(),
			"host_device":       device.HostBlock(),
			"node_affinity":     placement.NodeAffinityBlock(),
			"pod_affinity":      placement.PodAffinityBlock(),
			"pod_anti_affinity": placement.PodAntiAffinityBlock(),
			"toleration":        placement.TolerationBlock(),
			"timeouts":          tfbase.TimeoutsBlock(limits),
		},
	}
}

func attributes() map[string]schema.Attribute {
	all := tfbase.Namespaced("virtual machine")
	for _, group := range []map[string]schema.Attribute{metadataAttributes(all), computeAttributes(), firmwareAttributes(), operationAttributes()} {
		maps.Copy(all, group)
	}
	return all
}

// metadataAttributes are the shared ones whose descriptions say more for a machine.
func metadataAttributes(shared map[string]schema.Attribute) map[string]schema.Attribute {
	tags, _ := shared["tags"].(schema.MapAttribute)
	tags.MarkdownDescription = "Tags as Harvester's dashboard shows them: labels under `tag.harvesterhci.io/`, on the machine and its instance. " +
		"The value of the tag `ssh-user` is added to `cloudinit.user_data` as `user`, under the same conditions as `ssh_keys`, unless there is a `user` already."
	labels, _ := shared["labels"].(schema.MapAttribute)
	labels.MarkdownDescription = "Kubernetes labels of the machine and its instance. Labels that others put there are left alone."
	return map[string]schema.Attribute{
		"tags": tags, "labels": labels,
		"state": schema.StringAttribute{
			Computed: true,
			MarkdownDescription: "State of the machine: `Ready` (runs and has the addresses it was to wait for), `Running` (without them yet), `Starting`, " +
				"`Stopping`, `Off`, `Failed`, `Unknown`, or `Terminating` while the machine is being deleted.",
		},
		"message": schema.StringAttribute{
			Computed:            true,
			MarkdownDescription: "What the cluster says about the state: why the machine does not start, or that a change waits for a restart. Empty when all is well.",
		},
		"node_name": schema.StringAttribute{
			Computed:            true,
			MarkdownDescription: "Node the machine runs on; null while it does not run.",
		},
	}
}

func computeAttributes() map[string]schema.Attribute {
	return map[string]schema.Attribute{
		"cpu": tfbase.Advised(schema.Int64Attribute{
			Optional: true, Computed: true, Default: int64default.StaticInt64(defaultCPU),
			MarkdownDescription: "Number of virtual CPUs.",
			Validators:          []validator.Int64{int64validator.AtLeast(1)},
		}, "With `cpu_sockets` or `cpu_threads`: number of cores of a socket, and the number of virtual CPUs is the product of the three. Default: `1`. "+
			"Without them a machine made elsewhere keeps its topology (sockets, cores, threads) as long as the number stays."),
		"cpu_sockets": tfbase.Advised(schema.Int64Attribute{
			Optional:            true,
			MarkdownDescription: "Number of sockets of the CPU topology.",
			Validators:          []validator.Int64{int64validator.Between(1, mostCPUs)},
		}, "With it `cpu` is the number of cores of a socket. Counts as 1 beside `cpu_threads`. More than 1 needs `max_cpu`: Harvester gives other machines one socket. "+
			"An import has the number of virtual CPUs in `cpu` alone."),
		"cpu_threads": tfbase.Advised(schema.Int64Attribute{
			Optional:            true,
			MarkdownDescription: "Number of threads of a core in the CPU topology.",
			Validators:          []validator.Int64{int64validator.Between(1, mostCPUs)},
		}, "With it `cpu` is the number of cores of a socket. Counts as 1 beside `cpu_sockets`."),
		"max_cpu": tfbase.Advised(schema.Int64Attribute{
			Optional: true, Computed: true,
			MarkdownDescription: "How many virtual CPUs the machine can have without a restart; null if their number cannot grow while it runs.",
			Validators:          []validator.Int64{int64validator.Between(0, mostCPUs)},
		}, "With it and `max_memory`, a running machine gets more CPUs and memory at once (KubeVirt migrates it for that, so it needs a second node); fewer, or more than the maximum, "+
			"need a restart. Limits and requests of the machine are computed from the maximum. `0` switches it off; unset, it stays as it is."),
		"memory": tfbase.Advised(schema.StringAttribute{
			Optional: true, Computed: true, Default: stringdefault.StaticString(defaultMemory),
			MarkdownDescription: "Memory, as in `512Mi` or `4Gi`.",
			Validators:          []validator.String{tfbase.Quantity()},
		}, "Default: `1Gi`."),
		"max_memory": tfbase.Advised(schema.StringAttribute{
			Optional: true, Computed: true,
			MarkdownDescription: "How much memory the machine can have without a restart, as in `8Gi`; null if it cannot grow while it runs.",
			Validators:          []validator.String{tfbase.Quantity()},
		}, "Goes with `max_cpu`. `memory` must be at least `1Gi` then."),
		"reserved_memory": schema.StringAttribute{
			Optional:            true,
			MarkdownDescription: "Part of the memory that is kept from the guest for the emulator. The cluster decides if unset.",
			Validators:          []validator.String{arg.EmptyOr(tfbase.Quantity())},
		},
		"requests": requestsAttribute(),
		"cpu_model": schema.StringAttribute{
			Optional:            true,
			MarkdownDescription: "CPU model the guest sees, for example `host-passthrough`. The cluster's default if unset.",
		},
		"cpu_pinning": tfbase.Advised(schema.BoolAttribute{
			Optional: true, Computed: true, Default: booldefault.StaticBool(false),
			MarkdownDescription: "Give each virtual CPU a CPU of the node for itself. Needs a node with the CPU manager enabled.",
		}, "Default: `false`."),
		"isolate_emulator_thread": tfbase.Advised(schema.BoolAttribute{
			Optional: true, Computed: true, Default: booldefault.StaticBool(false),
			MarkdownDescription: "Give the emulator one more CPU of its own. Needs `cpu_pinning`.",
		}, "Default: `false`."),
		"node_selector": schema.MapAttribute{
			Optional: true, ElementType: types.StringType,
			MarkdownDescription: "Labels a node must have to run the machine.",
		},
	}
}

func firmwareAttributes() map[string]schema.Attribute {
	return map[string]schema.Attribute{
		"machine_type": schema.StringAttribute{
			Optional: true, Computed: true,
			MarkdownDescription: "Machine type of the emulator, for example `q35`. The cluster's default if unset.",
			PlanModifiers:       []planmodifier.String{stringplanmodifier.UseStateForUnknown()},
		},
		"efi": tfbase.Advised(schema.BoolAttribute{
			Optional: true, Computed: true, Default: booldefault.StaticBool(false),
			MarkdownDescription: "Boot with EFI instead of BIOS.",
		}, "Default: `false`."),
		"secure_boot": tfbase.Advised(schema.BoolAttribute{
			Optional: true, Computed: true, Default: booldefault.StaticBool(false),
			MarkdownDescription: "Boot only signed code. Needs `efi`.",
		}, "Default: `false`."),
		"hostname": schema.StringAttribute{
			Optional: true, Computed: true,
			MarkdownDescription: "Host name of the guest. If unset, the guest gets the machine's name, and a host name set elsewhere stays.",
			PlanModifiers:       []planmodifier.String{stringplanmodifier.UseStateForUnknown()},
			Validators:          []validator.String{arg.EmptyOr(hostname())},
		},
	}
}

func operationAttributes() map[string]schema.Attribute {
	return map[string]schema.Attribute{
		"run_strategy": tfbase.Advised(schema.StringAttribute{
			Optional: true, Computed: true, Default: stringdefault.StaticString(string(kubevirtv1.RunStrategyRerunOnFailure)),
			MarkdownDescription: "When the machine runs: `Always`, `RerunOnFailure` (always, but it may shut itself down), `Manual` (it is started and stopped " +
				"elsewhere; creation does not wait for it) or `Halted`.",
			Validators: []validator.String{stringvalidator.OneOf(runStrategies()...)},
		}, "A change starts or stops it. Default: `RerunOnFailure`."),
		"start": schema.BoolAttribute{
			Optional:            true,
			MarkdownDescription: "Use `run_strategy` instead: `true` means `RerunOnFailure`, `false` means `Halted`.",
			DeprecationMessage:  "Use run_strategy instead: start = true is run_strategy = \"RerunOnFailure\", start = false is run_strategy = \"Halted\".",
		},
		"eviction_strategy": tfbase.Advised(schema.StringAttribute{
			Optional: true, Computed: true,
			MarkdownDescription: "What becomes of the machine when its node is drained: `LiveMigrate` (it migrates, and holds up the drain if it cannot), `LiveMigrateIfPossible`, " +
				"`None` (it is stopped) or `External` (something else sees to it).",
			PlanModifiers: []planmodifier.String{stringplanmodifier.UseStateForUnknown()},
			Validators: []validator.String{stringvalidator.OneOf(string(kubevirtv1.EvictionStrategyNone), string(kubevirtv1.EvictionStrategyLiveMigrate),
				string(kubevirtv1.EvictionStrategyLiveMigrateIfPossible), string(kubevirtv1.EvictionStrategyExternal))},
		}, "Unset, it stays as it is; a new machine has `LiveMigrateIfPossible`."),
		"termination_grace_period_seconds": tfbase.Advised(schema.Int64Attribute{
			Optional: true, Computed: true,
			MarkdownDescription: "How long the guest may take to shut down before it is cut off, in seconds.",
			PlanModifiers:       []planmodifier.Int64{int64planmodifier.UseStateForUnknown()},
			Validators:          []validator.Int64{int64validator.AtLeast(0)},
		}, "Unset, it stays as it is; a new machine has what Harvester's setting `default-vm-termination-grace-period-seconds` says. A longer one needs a longer `timeouts.delete` too."),
		"create_initial_snapshot": tfbase.Advised(schema.BoolAttribute{
			Optional: true, Computed: true, Default: booldefault.StaticBool(false),
			MarkdownDescription: "Take a snapshot of the new machine once it is ready, named `<name>-initial`, and wait until it is usable. If that fails, the machine is kept " +
				"and the next apply tries again. On a machine that exists already, a change has no effect. Harvester deletes the snapshot together with the machine.",
		}, "Default: `false`."),
		"restart_after_update": tfbase.Advised(schema.BoolAttribute{
			Optional: true, Computed: true, Default: booldefault.StaticBool(false),
			MarkdownDescription: "Restart a running machine after a change that KubeVirt does not take while it runs.",
		}, "Default: `false`: such a change waits for the next restart, and `message` says so. Switched on while one waits, it restarts the machine."),
		"ssh_keys": schema.ListAttribute{
			Optional: true, ElementType: types.StringType,
			MarkdownDescription: "SSH keys in Harvester, as `namespace/name`, or `name` for one in the machine's namespace. They are added to `cloudinit.user_data` if " +
				"neither `user_data_base64` nor `user_data_secret_name` is set and `user_data` has no `ssh_authorized_keys`; otherwise the user data must hold " +
				"them already. Their contents are read when the machine is made and whenever its keys or cloud-init data change; a key that changes later is not noticed: " +
				"a guest takes over keys at its first boot only. Needs a `cloudinit` block.",
			Validators: []validator.List{listvalidator.ValueStringsAre(arg.Reference())},
		},
	}
}

func runStrategies() []string {
	return []string{
		string(kubevirtv1.RunStrategyAlways), string(kubevirtv1.RunStrategyRerunOnFailure),
		string(kubevirtv1.RunStrategyManual), string(kubevirtv1.RunStrategyHalted),
	}
}
