// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package image

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/tfsdk"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-log/tflog"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/diagnose"
	"github.com/harvester-community/terraform-provider-harvester/internal/imagestate"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
	"github.com/harvester-community/terraform-provider-harvester/internal/session"
	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
	"github.com/harvester-community/terraform-provider-harvester/internal/wait"
)

// onlyConfigured are the arguments of the resource that no server knows.
var onlyConfigured = []string{"file_path", "file_changes", "decompress", "verify", "stall_timeout", "file_sha512"}

// Limits of the data source: looking takes seconds, waiting for somebody's upload does not.
const (
	lookLimit  = 2 * time.Minute
	readyLimit = time.Hour
)

// dataSource is the data source harvester_image.
type dataSource struct{ session *session.Session }

var (
	_ datasource.DataSourceWithConfigure      = (*dataSource)(nil)
	_ datasource.DataSourceWithValidateConfig = (*dataSource)(nil)
)

// NewDataSource returns the data source harvester_image, not yet configured.
func NewDataSource() datasource.DataSource { return &dataSource{} }

// Metadata names the data source.
func (d *dataSource) Metadata(_ context.Context, _ datasource.MetadataRequest, resp *datasource.MetadataResponse) {
	resp.TypeName = Type
}

// Configure takes the session.
func (d *dataSource) Configure(_ context.Context, req datasource.ConfigureRequest, resp *datasource.ConfigureResponse) {
	var diags diag.Diagnostics
	d.session, diags = session.From(req.ProviderData)
	resp.Diagnostics.Append(diags...)
}

// Schema describes the data source.
func (d *dataSource) Schema(_ context.Context, _ datasource.SchemaRequest, resp *datasource.SchemaResponse) {
	attributes := tfbase.Shown(imageSchema(), onlyConfigured...)
	attributes["namespace"] = tfbase.NamespaceKey("image")
	attributes["name"] = schema.StringAttribute{
		Optional: true, Computed: true,
		MarkdownDescription: "Name of the image. Either this or `display_name` is needed.",
		Validators:          []validator.String{tfbase.Name()},
	}
	attributes["display_name"] = schema.StringAttribute{
		Optional: true, Computed: true,
		MarkdownDescription: "The name people see. It is an error if more than one image of the namespace has it.",
		Validators:          []validator.String{stringvalidator.LengthAtLeast(1)},
	}
	attributes["wait_for_ready"] = schema.BoolAttribute{
		Optional: true,
		MarkdownDescription: "Wait until the image is ready, as long as `timeouts` allows (an hour by default). An image that cannot become ready any more " +
			"is an error at once, and so is one that does not exist. Terraform reads data sources while it plans, so the plan waits.",
	}
	attributes["require_ready"] = schema.BoolAttribute{
		Optional:            true,
		MarkdownDescription: "Make it an error if the image is not ready now.",
	}
	attributes["encrypted"] = schema.BoolAttribute{Computed: true, MarkdownDescription: "Whether the image is encrypted."}
	resp.Schema = schema.Schema{
		MarkdownDescription: "An image that exists already, found by its name or its display name. With `wait_for_ready` it is the way to wait for an image that " +
			"somebody else uploads: whatever refers to the data source starts from a complete image.",
		Attributes: attributes,
		Blocks:     map[string]schema.Block{"timeouts": tfbase.ReadTimeoutBlock(lookLimit, "`1h` with `wait_for_ready`")},
	}
}

// query is what the configuration looks for.
type query struct {
	namespace, name, displayName types.String
	waitForReady, requireReady   types.Bool
	timeouts                     *tfbase.ReadOnly
}

func queryFrom(ctx context.Context, config tfsdk.Config) (q query, diags diag.Diagnostics) {
	for name, into := range map[string]any{
		"namespace": &q.namespace, "name": &q.name, "display_name": &q.displayName,
		"wait_for_ready": &q.waitForReady, "require_ready": &q.requireReady,
	} {
		diags.Append(config.GetAttribute(ctx, path.Root(name), into)...)
	}
	var more diag.Diagnostics
	q.timeouts, more = tfbase.ReadTimeouts(ctx, config)
	diags.Append(more...)
	return q, diags
}

// ValidateConfig wants a name of either kind.
func (d *dataSource) ValidateConfig(ctx context.Context, req datasource.ValidateConfigRequest, resp *datasource.ValidateConfigResponse) {
	q, diags := queryFrom(ctx, req.Config)
	resp.Diagnostics.Append(diags...)
	if q.name.IsNull() && q.displayName.IsNull() {
		resp.Diagnostics.AddAttributeError(path.Root("name"), "Missing argument", "Say which image is meant: set name or display_name.")
	}
}

// Read finds the image, and waits for it if asked to.
func (d *dataSource) Read(ctx context.Context, req datasource.ReadRequest, resp *datasource.ReadResponse) {
	q, diags := queryFrom(ctx, req.Config)
	resp.Diagnostics.Append(diags...)
	if d.session == nil {
		resp.Diagnostics.Append(session.Unconfigured())
	}
	if resp.Diagnostics.HasError() {
		return
	}
	ctx, cancel := q.timeouts.Reading(ctx, q.limit())
	defer cancel()

	image, diags := d.find(ctx, q)
	resp.Diagnostics.Append(diags...)
	if image != nil && q.waitForReady.ValueBool() {
		image, diags = d.awaitReady(ctx, image)
		resp.Diagnostics.Append(diags...)
	}
	if resp.Diagnostics.HasError() {
		return
	}
	resp.Diagnostics.Append(q.demand(image)...)
	shown, diags := tfbase.Blank[model](ctx, imageSchema())
	resp.Diagnostics.Append(diags...)
	if resp.Diagnostics.HasError() {
		return
	}
	shown.fromAPI(image)
	resp.Diagnostics.Append(tfbase.Show(ctx, imageSchema(), shown, req.Config, &resp.State)...)
	resp.Diagnostics.Append(resp.State.SetAttribute(ctx, path.Root("encrypted"), imagestate.Of(image).Encrypted)...)
}

func (q query) limit() time.Duration {
	if q.waitForReady.ValueBool() {
		return readyLimit
	}
	return lookLimit
}

func (q query) within() string {
	if namespace := q.namespace.ValueString(); namespace != "" {
		return namespace
	}
	return tfbase.DefaultNamespace
}

// demand is an error if the image has to be ready and is not.
func (q query) demand(image *api.VirtualMachineImage) diag.Diagnostics {
	refusal := imagestate.Check(imagestate.Of(image), imagestate.Use)
	if !q.requireReady.ValueBool() || refusal == nil {
		return nil
	}
	return diag.Diagnostics{diag.NewAttributeErrorDiagnostic(path.Root("require_ready"), refusal.Summary, refusal.Detail(imagestate.Use)+
		"\n\nTo wait for it here, set wait_for_ready = true.")}
}

// find returns the one image the query means.
func (d *dataSource) find(ctx context.Context, q query) (*api.VirtualMachineImage, diag.Diagnostics) {
	images := kube.For[api.VirtualMachineImage](d.session.Client, api.Images, api.KindImage)
	if q.name.IsNull() {
		return d.findByDisplayName(ctx, q, images)
	}
	id := tfbase.ID(q.within(), q.name.ValueString())
	image, err := images.Recent(ctx, q.within(), q.name.ValueString())
	if err == nil && !imagestate.Of(image).Ready() { // it may be by now
		image, err = images.Get(ctx, q.within(), q.name.ValueString())
	}
	switch {
	case apierrors.IsNotFound(err):
		absent := imagestate.Absent(id)
		if comes(ctx, &d.session.ImageFates, session.ImageID(id)) {
			return nil, diag.Diagnostics{toCome(path.Root("name"), fmt.Sprintf("the image %q", id))}
		}
		return nil, diag.Diagnostics{diag.NewAttributeErrorDiagnostic(path.Root("name"), absent.Summary, absent.Reason+"\n\n"+absent.Remedy)}
	case err != nil:
		return nil, diag.Diagnostics{diagnose.API("read", fmt.Sprintf("image %q", id), "", err)}
	}
	if wanted := q.displayName; !wanted.IsNull() && wanted.ValueString() != image.Spec.DisplayName {
		return nil, diag.Diagnostics{diag.NewAttributeErrorDiagnostic(path.Root("display_name"), "Image not found", fmt.Sprintf(
			"The image %q has the display name %q, not %q. Leave one of name and display_name out, or correct it.", id, image.Spec.DisplayName, wanted.ValueString()))}
	}
	return image, nil
}

// untilPlanned is how long a data source that finds no image waits for the plan of one. Terraform begins with all of a
// plan at about the same time.
const untilPlanned = 2 * time.Second

func comes[K ~string](ctx context.Context, fates *session.Fates[K], key K) bool {
	ctx, cancel := context.WithTimeout(ctx, untilPlanned)
	defer cancel()
	return fates.Of(ctx, key) == session.Comes
}

// toCome: Terraform reads a data source with the plan, unless it waits for something that the plan makes.
func toCome(at path.Path, image string) diag.Diagnostic {
	return diag.NewAttributeErrorDiagnostic(at, "Image not made yet", fmt.Sprintf(
		"This very run makes %s, and Terraform reads the data source before that.\n\n"+
			"Refer to the resource itself instead: harvester_image.<name>.id has what the data source would find. "+
			"Or let the data source depend on it: depends_on = [harvester_image.<name>].", image))
}

// findByDisplayName looks at the images themselves: Harvester before 1.7.3 adds
// the label with the display name only after a while.
func (d *dataSource) findByDisplayName(ctx context.Context, q query, images kube.Resource[api.VirtualMachineImage]) (*api.VirtualMachineImage, diag.Diagnostics) {
	all, err := images.List(ctx, q.within(), "")
	if err != nil {
		return nil, diag.Diagnostics{diagnose.API("list", fmt.Sprintf("images of the namespace %q", q.within()), "", err)}
	}
	var matches []*api.VirtualMachineImage
	var ids []string
	for i := range all {
		if all[i].Spec.DisplayName == q.displayName.ValueString() {
			matches, ids = append(matches, &all[i]), append(ids, imagestate.Of(&all[i]).ID())
		}
	}
	at := path.Root("display_name")
	switch len(matches) {
	case 0:
		if comes(ctx, &d.session.DisplayNames, session.DisplayName(tfbase.ID(q.within(), q.displayName.ValueString()))) {
			return nil, diag.Diagnostics{toCome(at, fmt.Sprintf("the image with the display name %q in the namespace %q", q.displayName.ValueString(), q.within()))}
		}
		return nil, diag.Diagnostics{diag.NewAttributeErrorDiagnostic(at, "Image not found", fmt.Sprintf(
			"No image in the namespace %q has the display name %q. Check both; the names of images are under Images in Harvester's dashboard. "+
				"If this configuration creates the image, refer to harvester_image.<name> instead of a data source.", q.within(), q.displayName.ValueString()))}
	case 1:
		return matches[0], nil
	}
	return nil, diag.Diagnostics{diag.NewAttributeErrorDiagnostic(at, "Display name is ambiguous", fmt.Sprintf(
		"%d images have the display name %q: %s. Say by name which of them is meant.", len(matches), q.displayName.ValueString(), strings.Join(ids, ", ")))}
}

// awaitReady waits until the image is ready, or cannot become so any more.
func (d *dataSource) awaitReady(ctx context.Context, image *api.VirtualMachineImage) (*api.VirtualMachineImage, diag.Diagnostics) {
	id := imagestate.Of(image).ID()
	ready, refusal, err := untilReady(ctx, d.session, image, func(message string) {
		tflog.Info(ctx, "Waiting for the image", map[string]any{"image": id, "status": message})
	})
	switch {
	case err != nil:
		return nil, diag.Diagnostics{diagnose.API("wait for", fmt.Sprintf("image %q", id), "Nothing was changed.", err)}
	case refusal != nil:
		return nil, diag.Diagnostics{diag.NewAttributeErrorDiagnostic(path.Root("wait_for_ready"), refusal.Summary, refusal.Detail(imagestate.Use))}
	}
	return ready, nil
}

// untilReady waits until the image is ready, or is refused because it cannot become so any more. Tell hears of each step.
func untilReady(ctx context.Context, s *session.Session, image *api.VirtualMachineImage, tell func(string)) (*api.VirtualMachineImage, *imagestate.Refusal, error) {
	target := wait.Target{Resource: api.Images, Namespace: image.Namespace, Name: image.Name, UID: image.UID}
	var refusal *imagestate.Refusal
	last, err := s.Hub.Until(ctx, target, func(object *unstructured.Unstructured) (wait.Progress, error) {
		if object == nil {
			refusal = imagestate.Absent(imagestate.Of(image).ID())
			return wait.Progress{Done: true}, nil
		}
		seen, err := kube.Decode[api.VirtualMachineImage](object)
		if err != nil {
			return wait.Progress{}, err
		}
		state := imagestate.Of(seen)
		refusal = hopeless(state)
		return wait.Progress{Done: state.Ready() || refusal != nil, Message: state.Status()}, nil
	}, wait.Options{OnChange: tell})
	if err != nil || refusal != nil {
		return nil, refusal, err
	}
	ready, err := kube.Decode[api.VirtualMachineImage](last)
	return ready, nil, err
}

// hopeless refuses an image that cannot become ready any more.
func hopeless(state imagestate.Image) *imagestate.Refusal {
	if state.Terminal || state.State == imagestate.Terminating {
		return imagestate.Check(state, imagestate.Use)
	}
	return nil
}
