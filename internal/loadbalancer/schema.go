// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package loadbalancer

import (
	"maps"
	"time"

	"github.com/hashicorp/terraform-plugin-framework-validators/int64validator"
	"github.com/hashicorp/terraform-plugin-framework-validators/listvalidator"
	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/int64planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringdefault"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
)

var limits = tfbase.Limits{Create: 2 * time.Minute, Read: 2 * time.Minute, Update: 2 * time.Minute, Delete: 2 * time.Minute}

func balancerSchema() schema.Schema {
	attributes := tfbase.Namespaced("load balancer")
	maps.Copy(attributes, arguments())
	maps.Copy(attributes, computed())
	return schema.Schema{
		Version: tfbase.SchemaVersion,
		MarkdownDescription: "A load balancer: an IP address whose ports lead to virtual machines, or to a guest cluster. Apply waits until it has its address. " +
			"It does not wait for virtual machines, which may be made later, unless `wait_for_backends` says so.",
		Attributes: attributes,
		Blocks: map[string]schema.Block{
			"listener": listenersBlock(), "backend_selector": selectorsBlock(), "healthcheck": healthCheckBlock(), "timeouts": tfbase.TimeoutsBlock(limits),
		},
	}
}

func arguments() map[string]schema.Attribute {
	choice := func(what, fallback, advice string, values ...string) schema.Attribute {
		return tfbase.Advised(schema.StringAttribute{
			Optional: true, Computed: true, Default: stringdefault.StaticString(fallback),
			MarkdownDescription: what,
			PlanModifiers:       []planmodifier.String{stringplanmodifier.RequiresReplace()},
			Validators:          []validator.String{stringvalidator.OneOf(values...)},
		}, "Default: `"+fallback+"`. "+advice+"A change replaces the load balancer.")
	}
	return map[string]schema.Attribute{
		"workload_type": choice("What the ports lead to: `vm` (virtual machines) or `cluster` (a guest cluster, which makes its load balancers itself).",
			workloadVM, "", workloadVM, workloadCluster),
		"ipam": choice("Where the address comes from: `pool` or `dhcp`.", ipamPool, "", ipamPool, ipamDHCP),
		"ippool": tfbase.Advised(schema.StringAttribute{
			Optional: true, MarkdownDescription: "Name of the `harvester_ippool` that the address comes from.",
		}, "Without it the server chooses a pool whose selector lets the load balancer in. A change gives the load balancer another address."),
		"wait_for_backends": schema.BoolAttribute{
			Optional: true,
			MarkdownDescription: "Whether apply also waits until a virtual machine is there to lead to, and healthy. If it is made in the same run, it must not " +
				"depend on the load balancer. Default: `false`.",
		},
	}
}

func computed() map[string]schema.Attribute {
	text := func(what string) schema.Attribute {
		return schema.StringAttribute{Computed: true, MarkdownDescription: what}
	}
	return map[string]schema.Attribute{
		"ip_address":     text("The address of the load balancer."),
		"allocated_ip":   text("The address as it was allocated: that of the pool, or `0.0.0.0` where a DHCP server is asked."),
		"allocated_pool": text("The pool that the address comes from."),
		"gateway":        text("The gateway of the address in its pool."),
		"subnet_mask":    text("The mask of the address in its pool."),
		"backend_servers": schema.ListAttribute{
			Computed: true, ElementType: types.StringType, MarkdownDescription: "The addresses of the virtual machines that the ports lead to.",
		},
		"state": text("`Ready`; `Pending` without an address; `NoBackend` without a virtual machine to lead to; `Unhealthy` if none of them passes the health check; " +
			"`Terminating` while it is being deleted."),
	}
}

// port accepts the numbers of ports.
func port() []validator.Int64 { return []validator.Int64{int64validator.Between(1, 65535)} }

func listenersBlock() schema.Block {
	return schema.ListNestedBlock{
		MarkdownDescription: "A port of the load balancer. One for virtual machines needs at least one.",
		NestedObject: schema.NestedBlockObject{Attributes: map[string]schema.Attribute{
			"name": schema.StringAttribute{Required: true, MarkdownDescription: "Name of the port, unique in the load balancer."},
			"port": schema.Int64Attribute{Required: true, MarkdownDescription: "The port of the load balancer.", Validators: port()},
			"protocol": schema.StringAttribute{
				Required: true, MarkdownDescription: "`TCP`, `UDP` or `SCTP`, in any case.",
				Validators: []validator.String{stringvalidator.OneOfCaseInsensitive("TCP", "UDP", "SCTP")},
			},
			"backend_port": schema.Int64Attribute{Required: true, MarkdownDescription: "The port of the virtual machines.", Validators: port()},
		}},
	}
}

func selectorsBlock() schema.Block {
	return schema.SetNestedBlock{
		MarkdownDescription: "A demand on the labels of the virtual machines that the ports lead to. All of them must be met. The tags of a " +
			"`harvester_virtualmachine` are labels with the key `tag.harvesterhci.io/<tag>`.",
		NestedObject: schema.NestedBlockObject{Attributes: map[string]schema.Attribute{
			"key": schema.StringAttribute{Required: true, MarkdownDescription: "The label.", Validators: []validator.String{
				tfbase.Rule("Invalid label", "must be the key of a Kubernetes label", validation.IsQualifiedName),
			}},
			"values": schema.ListAttribute{
				Required: true, ElementType: types.StringType, MarkdownDescription: "The values of which the label must have one.",
				Validators: []validator.List{listvalidator.SizeAtLeast(1), listvalidator.ValueStringsAre(tfbase.LabelValue())},
			},
		}},
	}
}

func healthCheckBlock() schema.Block {
	number := func(what, fallback string) schema.Attribute {
		return tfbase.Advised(schema.Int64Attribute{
			Optional: true, Computed: true, MarkdownDescription: what,
			PlanModifiers: []planmodifier.Int64{int64planmodifier.UseStateForUnknown()},
			Validators:    []validator.Int64{int64validator.AtLeast(1)},
		}, "Default: "+fallback+".")
	}
	return schema.ListNestedBlock{
		MarkdownDescription: "How the virtual machines are probed: by a TCP connection. Without this block all of them count as healthy.",
		Validators:          []validator.List{listvalidator.SizeAtMost(1)},
		NestedObject: schema.NestedBlockObject{Attributes: map[string]schema.Attribute{
			"port":              schema.Int64Attribute{Required: true, MarkdownDescription: "The `backend_port` of a TCP listener.", Validators: port()},
			"success_threshold": number("How many probes in a row must succeed before a virtual machine counts as healthy.", "2"),
			"failure_threshold": number("How many probes in a row must fail before it does not any more.", "2"),
			"period_seconds":    number("How many seconds are between two probes.", "1"),
			"timeout_seconds":   number("How many seconds a probe may take.", "1"),
		}},
	}
}
