// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package image

import (
	"cmp"
	"context"
	"regexp"
	"slices"

	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/diagnose"
	"github.com/harvester-community/terraform-provider-harvester/internal/imagestate"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
	"github.com/harvester-community/terraform-provider-harvester/internal/session"
	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
)

// listSource is the data source harvester_images.
type listSource struct{ session *session.Session }

var _ datasource.DataSourceWithConfigure = (*listSource)(nil)

// NewListDataSource returns the data source harvester_images, not yet configured.
func NewListDataSource() datasource.DataSource { return &listSource{} }

type listModel struct {
	Namespace        types.String     `tfsdk:"namespace"`
	Labels           types.Map        `tfsdk:"labels"`
	State            types.String     `tfsdk:"state"`
	DisplayNameRegex types.String     `tfsdk:"display_name_regex"`
	IDs              []string         `tfsdk:"ids"`
	Images           []listedImage    `tfsdk:"images"`
	Timeouts         *tfbase.ReadOnly `tfsdk:"timeouts"`
}

type listedImage struct {
	ID                     string            `tfsdk:"id"`
	Namespace              string            `tfsdk:"namespace"`
	Name                   string            `tfsdk:"name"`
	DisplayName            string            `tfsdk:"display_name"`
	State                  string            `tfsdk:"state"`
	Message                string            `tfsdk:"message"`
	Progress               int64             `tfsdk:"progress"`
	Size                   int64             `tfsdk:"size"`
	VirtualSize            int64             `tfsdk:"virtual_size"`
	SourceType             string            `tfsdk:"source_type"`
	Backend                string            `tfsdk:"backend"`
	Encrypted              bool              `tfsdk:"encrypted"`
	VolumeStorageClassName string            `tfsdk:"volume_storage_class_name"`
	Labels                 map[string]string `tfsdk:"labels"`
}

// Metadata names the data source.
func (d *listSource) Metadata(_ context.Context, _ datasource.MetadataRequest, resp *datasource.MetadataResponse) {
	resp.TypeName = "harvester_images"
}

// Configure takes the session.
func (d *listSource) Configure(_ context.Context, req datasource.ConfigureRequest, resp *datasource.ConfigureResponse) {
	var diags diag.Diagnostics
	d.session, diags = session.From(req.ProviderData)
	resp.Diagnostics.Append(diags...)
}

// Schema describes the data source.
func (d *listSource) Schema(_ context.Context, _ datasource.SchemaRequest, resp *datasource.SchemaResponse) {
	resp.Schema = schema.Schema{
		MarkdownDescription: "The images that match every filter given, in the order of their ids. Without filters: all images of the cluster. No match is an empty list, not an error.",
		Attributes: map[string]schema.Attribute{
			"namespace": schema.StringAttribute{
				Optional: true, MarkdownDescription: "Only images of this namespace.", Validators: []validator.String{tfbase.Name()},
			},
			"labels": schema.MapAttribute{
				Optional: true, ElementType: types.StringType,
				MarkdownDescription: "Only images with all of these labels. A tag is the label `tag.harvesterhci.io/<tag>`.",
			},
			"state": schema.StringAttribute{
				Optional: true, MarkdownDescription: "Only images in this state; `Active` are those that are ready.",
				Validators: []validator.String{stringvalidator.OneOf(states()...)},
			},
			"display_name_regex": schema.StringAttribute{
				Optional: true, MarkdownDescription: "Only images whose display name matches this regular expression (RE2).",
				Validators: []validator.String{tfbase.Rule("Invalid regular expression", "must be a regular expression", func(value string) []string {
					if _, err := regexp.Compile(value); err != nil {
						return []string{err.Error()}
					}
					return nil
				})},
			},
			"ids":    schema.ListAttribute{Computed: true, ElementType: types.StringType, MarkdownDescription: "The ids of the images, `namespace/name`."},
			"images": schema.ListNestedAttribute{Computed: true, MarkdownDescription: "The images.", NestedObject: schema.NestedAttributeObject{Attributes: listedAttributes()}},
		},
		Blocks: map[string]schema.Block{"timeouts": tfbase.ReadTimeoutBlock(lookLimit, "")},
	}
}

// listedAttributes are those of the single data source that every image has.
func listedAttributes() map[string]schema.Attribute {
	all := tfbase.Shown(imageSchema())
	all["encrypted"] = schema.BoolAttribute{Computed: true, MarkdownDescription: "Whether the image is encrypted."}
	listed := map[string]schema.Attribute{}
	for _, name := range []string{
		"id", "namespace", "name", "display_name", "state", "message", "progress", "size", "virtual_size", "source_type", "backend",
		"encrypted", "volume_storage_class_name", "labels",
	} {
		listed[name] = all[name]
	}
	listed["labels"] = schema.MapAttribute{Computed: true, ElementType: types.StringType, MarkdownDescription: "All labels of the image, tags among them."}
	return listed
}

func states() []string {
	var names []string
	for _, state := range imagestate.States() {
		names = append(names, string(state))
	}
	return names
}

// Read lists the images.
func (d *listSource) Read(ctx context.Context, req datasource.ReadRequest, resp *datasource.ReadResponse) {
	var config listModel
	resp.Diagnostics.Append(req.Config.Get(ctx, &config)...)
	if d.session == nil {
		resp.Diagnostics.Append(session.Unconfigured())
	}
	if resp.Diagnostics.HasError() {
		return
	}
	ctx, cancel := config.Timeouts.Reading(ctx, lookLimit)
	defer cancel()

	wanted := map[string]string{}
	resp.Diagnostics.Append(config.Labels.ElementsAs(ctx, &wanted, false)...)
	images := kube.For[api.VirtualMachineImage](d.session.Client, api.Images, api.KindImage)
	all, err := images.List(ctx, config.Namespace.ValueString(), labels.Set(wanted).String())
	if err != nil {
		resp.Diagnostics.Append(diagnose.API("list", "images", "", err))
	}
	if resp.Diagnostics.HasError() {
		return
	}
	config.show(all)
	resp.Diagnostics.Append(resp.State.Set(ctx, &config)...)
}

// show fills in the images that match.
func (m *listModel) show(all []api.VirtualMachineImage) {
	name := regexp.MustCompile(m.DisplayNameRegex.ValueString()) // validated
	m.IDs, m.Images = []string{}, []listedImage{}
	for i := range all {
		listed := listedFrom(&all[i])
		if name.MatchString(listed.DisplayName) && (m.State.IsNull() || m.State.ValueString() == listed.State) {
			m.Images = append(m.Images, listed)
		}
	}
	slices.SortFunc(m.Images, func(a, b listedImage) int { return cmp.Compare(a.ID, b.ID) })
	for _, listed := range m.Images {
		m.IDs = append(m.IDs, listed.ID)
	}
}

func listedFrom(object *api.VirtualMachineImage) listedImage {
	var m model
	m.fromAPI(object)
	return listedImage{
		ID: m.id(), Namespace: object.Namespace, Name: object.Name, DisplayName: object.Spec.DisplayName,
		State: m.State.ValueString(), Message: m.Message.ValueString(), Progress: m.Progress.ValueInt64(),
		Size: m.Size.ValueInt64(), VirtualSize: m.VirtualSize.ValueInt64(),
		SourceType: object.Spec.SourceType, Backend: m.Backend.ValueString(), Encrypted: imagestate.Of(object).Encrypted,
		VolumeStorageClassName: m.VolumeStorageClassName.ValueString(), Labels: object.Labels,
	}
}
