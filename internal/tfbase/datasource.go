// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package tfbase

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	resourceschema "github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/tfsdk"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/harvester-community/terraform-provider-harvester/internal/diagnose"
	"github.com/harvester-community/terraform-provider-harvester/internal/session"
)

// DataSource shows one object the way its resource does: found by name (and
// namespace, if the resource has one), with the resource's attributes computed. M is
// the resource's model.
type DataSource[M any] struct {
	TypeName string
	// What is the kind in messages and descriptions, as in "volume".
	What string
	// Schema is the resource's.
	Schema resourceschema.Schema
	// Omit names attributes of the resource that only a configuration can have.
	Omit []string
	// Look reads the object into the model, in which everything is null, like after an
	// import. The error is the API's.
	Look func(ctx context.Context, s *session.Session, namespace, name string, model *M) error
	// Elsewhere says where else there is something of that name; nil if nobody looks.
	Elsewhere func(ctx context.Context, s *session.Session, namespace, name string) string
}

// readLimit is how long a data source may read if the configuration does not say.
const readLimit = 2 * time.Minute

type dataSource[M any] struct {
	DataSource[M]
	session *session.Session
}

var _ datasource.DataSourceWithConfigure = (*dataSource[struct{}])(nil)

// New returns the data source, not yet configured.
func (d DataSource[M]) New() datasource.DataSource { return &dataSource[M]{DataSource: d} }

// Metadata names the data source.
func (d *dataSource[M]) Metadata(_ context.Context, _ datasource.MetadataRequest, resp *datasource.MetadataResponse) {
	resp.TypeName = d.TypeName
}

// Configure takes the session.
func (d *dataSource[M]) Configure(_ context.Context, req datasource.ConfigureRequest, resp *datasource.ConfigureResponse) {
	var diags diag.Diagnostics
	d.session, diags = session.From(req.ProviderData)
	resp.Diagnostics.Append(diags...)
}

// Schema describes the data source.
func (d *dataSource[M]) Schema(_ context.Context, _ datasource.SchemaRequest, resp *datasource.SchemaResponse) {
	attributes := Shown(d.DataSource.Schema, d.Omit...)
	attributes["name"] = schema.StringAttribute{
		Required: true, MarkdownDescription: "Name of the " + d.What + ".", Validators: []validator.String{Name()},
	}
	if _, namespaced := attributes["namespace"]; namespaced {
		attributes["namespace"] = NamespaceKey(d.What)
	}
	resp.Schema = schema.Schema{
		MarkdownDescription: fmt.Sprintf("An existing %s. It is an error if there is none.", d.What),
		Attributes:          attributes,
		Blocks:              map[string]schema.Block{"timeouts": ReadTimeoutBlock(readLimit, "")},
	}
}

// NamespaceKey is the argument of a data source that says where to look.
func NamespaceKey(what string) schema.Attribute {
	return schema.StringAttribute{
		Optional: true, Computed: true,
		MarkdownDescription: "Namespace of the " + what + ". Default: `default`.",
		Validators:          []validator.String{Name()},
	}
}

// Read looks the object up.
func (d *dataSource[M]) Read(ctx context.Context, req datasource.ReadRequest, resp *datasource.ReadResponse) {
	if d.session == nil {
		resp.Diagnostics.Append(session.Unconfigured())
		return
	}
	namespace, name, diags := d.key(ctx, req.Config)
	resp.Diagnostics.Append(diags...)
	timeouts, diags := ReadTimeouts(ctx, req.Config)
	resp.Diagnostics.Append(diags...)
	if resp.Diagnostics.HasError() {
		return
	}
	ctx, cancel := timeouts.Reading(ctx, readLimit)
	defer cancel()

	model, diags := Blank[M](ctx, d.DataSource.Schema)
	resp.Diagnostics.Append(diags...)
	if resp.Diagnostics.HasError() {
		return
	}
	err := d.Look(ctx, d.session, namespace, name, model)
	switch {
	case apierrors.IsNotFound(err):
		elsewhere := ""
		if d.Elsewhere != nil {
			elsewhere = d.Elsewhere(ctx, d.session, namespace, name)
		}
		resp.Diagnostics.AddAttributeError(path.Root("name"), "Not found", diagnose.Paragraphs(
			fmt.Sprintf("There is no %s %q in this cluster.", d.What, title(namespace, name)), elsewhere,
			"Check the namespace and the name. If this configuration makes it, use the resource's own attributes instead of a data source."))
	case err != nil:
		resp.Diagnostics.Append(diagnose.API("read", fmt.Sprintf("%s %q", d.What, title(namespace, name)), "", err))
	default:
		resp.Diagnostics.Append(Show(ctx, d.DataSource.Schema, model, req.Config, &resp.State)...)
	}
}

// key returns what the configuration looks for; the namespace is empty for kinds without one.
func (d *dataSource[M]) key(ctx context.Context, config tfsdk.Config) (namespace, name string, diags diag.Diagnostics) {
	diags.Append(config.GetAttribute(ctx, path.Root("name"), &name)...)
	if _, namespaced := d.DataSource.Schema.Attributes["namespace"]; !namespaced {
		return "", name, diags
	}
	var configured types.String
	diags.Append(config.GetAttribute(ctx, path.Root("namespace"), &configured)...)
	if namespace = configured.ValueString(); namespace == "" {
		namespace = DefaultNamespace
	}
	return namespace, name, diags
}

func title(namespace, name string) string {
	if namespace == "" {
		return name
	}
	return ID(namespace, name)
}

// Blank returns a resource's model in which everything is null.
func Blank[M any](ctx context.Context, resource resourceschema.Schema) (*M, diag.Diagnostics) {
	object, _ := resource.Type().TerraformType(ctx).(tftypes.Object)
	values := map[string]tftypes.Value{}
	for name, kind := range object.AttributeTypes {
		values[name] = tftypes.NewValue(kind, nil)
	}
	model := new(M)
	diags := tfsdk.State{Schema: resource, Raw: tftypes.NewValue(object, values)}.Get(ctx, model)
	return model, diags
}

// Show fills the state of a data source: from the resource's model what the
// resource has too, the rest (arguments that only the data source has) from the configuration.
func Show(ctx context.Context, resource resourceschema.Schema, model any, config tfsdk.Config, state *tfsdk.State) diag.Diagnostics {
	filled := tfsdk.State{Schema: resource, Raw: tftypes.NewValue(resource.Type().TerraformType(ctx), nil)}
	diags := filled.Set(ctx, model)
	var object, shown map[string]tftypes.Value
	for from, into := range map[*tftypes.Value]*map[string]tftypes.Value{&filled.Raw: &object, &config.Raw: &shown} {
		if err := from.As(into); err != nil {
			diags.AddError("Unexpected value", "Please report this to the provider's developers: "+err.Error()+".")
		}
	}
	if diags.HasError() {
		return diags
	}
	for name := range shown {
		if value, found := object[name]; found && name != "timeouts" {
			shown[name] = value
		}
	}
	state.Raw = tftypes.NewValue(config.Raw.Type(), shown)
	return diags
}

// Shown returns a resource's attributes and blocks, save those omitted and the timeouts,
// as the computed attributes of a data source.
func Shown(resource resourceschema.Schema, omit ...string) map[string]schema.Attribute {
	return shown(resource.Attributes, resource.Blocks, append(omit, "timeouts"))
}

func shown(attributes map[string]resourceschema.Attribute, blocks map[string]resourceschema.Block, omit []string) map[string]schema.Attribute {
	all := map[string]schema.Attribute{}
	for name, attribute := range attributes {
		if !slices.Contains(omit, name) && !attribute.IsWriteOnly() {
			all[name] = computed(attribute)
		}
	}
	for name, block := range blocks {
		if slices.Contains(omit, name) {
			continue
		}
		switch block := block.(type) {
		case resourceschema.ListNestedBlock:
			all[name] = schema.ListNestedAttribute{
				Computed: true, MarkdownDescription: fact(block),
				NestedObject: schema.NestedAttributeObject{Attributes: shown(block.NestedObject.Attributes, block.NestedObject.Blocks, nil)},
			}
		case resourceschema.SetNestedBlock:
			all[name] = schema.SetNestedAttribute{
				Computed: true, MarkdownDescription: fact(block),
				NestedObject: schema.NestedAttributeObject{Attributes: shown(block.NestedObject.Attributes, block.NestedObject.Blocks, nil)},
			}
		case resourceschema.SingleNestedBlock:
			all[name] = schema.SingleNestedAttribute{
				Computed: true, MarkdownDescription: fact(block),
				Attributes: shown(block.Attributes, block.Blocks, nil),
			}
		}
	}
	return all
}

func computed(attribute resourceschema.Attribute) schema.Attribute {
	description, sensitive := fact(attribute), attribute.IsSensitive()
	switch kind := attribute.GetType().(type) {
	case types.ListType:
		return schema.ListAttribute{Computed: true, ElementType: kind.ElemType, Sensitive: sensitive, MarkdownDescription: description}
	case types.SetType:
		return schema.SetAttribute{Computed: true, ElementType: kind.ElemType, Sensitive: sensitive, MarkdownDescription: description}
	case types.MapType:
		return schema.MapAttribute{Computed: true, ElementType: kind.ElemType, Sensitive: sensitive, MarkdownDescription: description}
	}
	switch {
	case attribute.GetType().Equal(types.BoolType):
		return schema.BoolAttribute{Computed: true, Sensitive: sensitive, MarkdownDescription: description}
	case attribute.GetType().Equal(types.Int64Type):
		return schema.Int64Attribute{Computed: true, Sensitive: sensitive, MarkdownDescription: description}
	}
	return schema.StringAttribute{Computed: true, Sensitive: sensitive, MarkdownDescription: description}
}

// ReadTimeoutBlock returns the timeouts block of a data source. Unless tells of another limit, as in
// "`1h` with `slow`"; it may be empty.
func ReadTimeoutBlock(limit time.Duration, unless string) schema.Block {
	if unless != "" {
		unless = "; " + unless
	}
	return schema.SingleNestedBlock{
		MarkdownDescription: "Limits for whole operations.",
		Attributes: map[string]schema.Attribute{
			"read": schema.StringAttribute{
				Optional:            true,
				MarkdownDescription: "How long reading may take, as in `30s`, `10m` or `2h`. Default: `" + short(limit) + "`" + unless + ".",
				Validators:          []validator.String{Duration()},
			},
			"default": schema.StringAttribute{
				Optional: true, MarkdownDescription: "The same as `read`, which comes first.", Validators: []validator.String{Duration()},
			},
		},
	}
}

// ReadOnly is the timeouts block of a data source.
type ReadOnly struct {
	Read    types.String `tfsdk:"read"`
	Default types.String `tfsdk:"default"`
}

// Reading limits ctx to the duration for reading.
func (t *ReadOnly) Reading(ctx context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
	if t == nil {
		return context.WithTimeout(ctx, limit)
	}
	return (&Timeouts{Read: t.Read, Default: t.Default}).Reading(ctx, Limits{Read: limit})
}

// ReadTimeouts returns the timeouts block of a data source's configuration.
func ReadTimeouts(ctx context.Context, config tfsdk.Config) (*ReadOnly, diag.Diagnostics) {
	var timeouts *ReadOnly
	diags := config.GetAttribute(ctx, path.Root("timeouts"), &timeouts)
	return timeouts, diags
}
