// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package ippool

import (
	"maps"
	"math"
	"strings"
	"time"

	"github.com/hashicorp/terraform-plugin-framework-validators/int64validator"
	"github.com/hashicorp/terraform-plugin-framework-validators/listvalidator"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
)

var limits = tfbase.Limits{Create: 2 * time.Minute, Read: 2 * time.Minute, Update: 2 * time.Minute, Delete: 2 * time.Minute}

func poolSchema() schema.Schema {
	attributes := tfbase.ClusterScoped("IP pool")
	maps.Copy(attributes, map[string]schema.Attribute{
		"total":     schema.Int64Attribute{Computed: true, MarkdownDescription: "How many addresses the pool has."},
		"available": schema.Int64Attribute{Computed: true, MarkdownDescription: "How many of them are free."},
		"allocated": schema.MapAttribute{
			Computed: true, ElementType: types.StringType,
			MarkdownDescription: "The addresses that are taken, each with its load balancer as `namespace/name`.",
		},
		"last_allocated": schema.StringAttribute{Computed: true, MarkdownDescription: "The address that was given away last."},
		"global": schema.BoolAttribute{
			Computed: true, MarkdownDescription: "Whether this is the pool for load balancers that no other pool is for.",
		},
		"state": schema.StringAttribute{
			Computed: true, MarkdownDescription: "`Ready` when load balancers can get addresses from the pool, `Terminating` while it is being deleted, else `NotReady`.",
		},
	})
	return schema.Schema{
		Version: tfbase.SchemaVersion,
		MarkdownDescription: "A pool of IP addresses for load balancers. A load balancer names its pool, or gets the one whose selector lets it in. " +
			"Ranges are checked in the plan, by themselves and against those of other pools; apply waits until the pool can be used.",
		Attributes: attributes,
		Blocks: map[string]schema.Block{
			"range": rangesBlock(), "selector": selectorsBlock(), "timeouts": tfbase.TimeoutsBlock(limits),
		},
	}
}

func rangesBlock() schema.Block {
	address := func(what, fallback string) schema.Attribute {
		return tfbase.Advised(schema.StringAttribute{Optional: true, MarkdownDescription: what}, "Default: "+fallback+".")
	}
	return schema.ListNestedBlock{
		MarkdownDescription: "A range of addresses. No two ranges of any pools may overlap.",
		Validators:          []validator.List{listvalidator.IsRequired(), listvalidator.SizeAtLeast(1)},
		NestedObject: schema.NestedBlockObject{Attributes: map[string]schema.Attribute{
			"subnet":  schema.StringAttribute{Required: true, MarkdownDescription: "The subnet of the range, such as `192.168.1.0/24`."},
			"start":   address("The first address.", "the first one of the subnet"),
			"end":     address("The last address.", "the last one of the subnet"),
			"gateway": address("The gateway of the subnet, which is never given away.", "the first address of the subnet"),
		}},
	}
}

func selectorsBlock() schema.Block {
	scope := func(what string) schema.Attribute {
		return schema.StringAttribute{Optional: true, MarkdownDescription: what}
	}
	return schema.ListNestedBlock{
		MarkdownDescription: "Which load balancers get addresses from the pool without naming it. Without a `scope` none does.",
		Validators:          []validator.List{listvalidator.SizeAtMost(1)},
		NestedObject: schema.NestedBlockObject{
			Attributes: map[string]schema.Attribute{
				"priority": tfbase.Advised(schema.Int64Attribute{
					Optional:            true,
					MarkdownDescription: "Of several pools that let in a load balancer, the one with the largest number counts. No two pools may have the same one, save 0.",
					Validators:          []validator.Int64{int64validator.Between(0, math.MaxInt32)},
				}, "Default: 0."),
				"network": schema.StringAttribute{
					Optional:            true,
					MarkdownDescription: "The network that the nodes of a guest cluster are in, as `namespace/name`. Load balancers of virtual machines have none.",
					Validators:          []validator.String{network()},
				},
			},
			Blocks: map[string]schema.Block{"scope": schema.ListNestedBlock{
				MarkdownDescription: "A kind of load balancers that the selector lets in; `*` matches everything, and what is left out only those without. " +
					"With a single scope of three `*` the pool is the global one, for load balancers that no other pool is for.",
				NestedObject: schema.NestedBlockObject{Attributes: map[string]schema.Attribute{
					"project":       scope("The project of the load balancer's namespace. Load balancers of virtual machines have none."),
					"namespace":     scope("The load balancer's namespace."),
					"guest_cluster": scope("The name of the guest cluster. Load balancers of virtual machines have none."),
				}},
			}},
		},
	}
}

// network accepts namespace/name, and "" for none.
func network() validator.String {
	return tfbase.Rule("Invalid network", "must be namespace/name of a network", func(value string) []string {
		if _, _, err := tfbase.ParseID(value); err != nil && value != "" {
			return []string{strings.TrimSuffix(err.Error(), ".")}
		}
		return nil
	})
}
