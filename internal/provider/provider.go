// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

// Package provider is the Terraform provider: its configuration and the list of
// what it offers.
package provider

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework-validators/int64validator"
	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/action"
	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/function"
	"github.com/hashicorp/terraform-plugin-framework/list"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/provider"
	"github.com/hashicorp/terraform-plugin-framework/provider/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-log/tflog"

	"github.com/harvester-community/terraform-provider-harvester/internal/bootstrap"
	"github.com/harvester-community/terraform-provider-harvester/internal/cloudinitsecret"
	"github.com/harvester-community/terraform-provider-harvester/internal/clusternetwork"
	"github.com/harvester-community/terraform-provider-harvester/internal/diagnose"
	"github.com/harvester-community/terraform-provider-harvester/internal/functions"
	"github.com/harvester-community/terraform-provider-harvester/internal/image"
	"github.com/harvester-community/terraform-provider-harvester/internal/imagedownload"
	"github.com/harvester-community/terraform-provider-harvester/internal/ippool"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
	"github.com/harvester-community/terraform-provider-harvester/internal/loadbalancer"
	"github.com/harvester-community/terraform-provider-harvester/internal/network"
	"github.com/harvester-community/terraform-provider-harvester/internal/pcidevice"
	"github.com/harvester-community/terraform-provider-harvester/internal/schedulebackup"
	"github.com/harvester-community/terraform-provider-harvester/internal/session"
	"github.com/harvester-community/terraform-provider-harvester/internal/setting"
	"github.com/harvester-community/terraform-provider-harvester/internal/sriovdevice"
	"github.com/harvester-community/terraform-provider-harvester/internal/sshkey"
	"github.com/harvester-community/terraform-provider-harvester/internal/storageclass"
	"github.com/harvester-community/terraform-provider-harvester/internal/virtualmachine"
	"github.com/harvester-community/terraform-provider-harvester/internal/vlanconfig"
	"github.com/harvester-community/terraform-provider-harvester/internal/volume"
)

// Address is where the provider is published.
const Address = "registry.terraform.io/harvester-community/harvester"

// envPlanChecks is the environment variable that stands in for plan_checks. Those of the connection are in kube.
const envPlanChecks = "HARVESTER_PLAN_CHECKS"

const (
	fieldPlanChecks = "plan_checks"
	fieldUploads    = "max_parallel_uploads"
	fieldBootstrap  = "bootstrap"
)

// Provider is the provider of one version.
type Provider struct{ version string }

var (
	_ provider.ProviderWithActions       = (*Provider)(nil)
	_ provider.ProviderWithFunctions     = (*Provider)(nil)
	_ provider.ProviderWithListResources = (*Provider)(nil)
)

// New returns the factory of the provider, as the plugin server wants it.
func New(version string) func() provider.Provider {
	return func() provider.Provider { return &Provider{version: version} }
}

// Metadata names the provider.
func (p *Provider) Metadata(_ context.Context, _ provider.MetadataRequest, resp *provider.MetadataResponse) {
	resp.TypeName = "harvester"
	resp.Version = p.version
}

// Resources lists the resources.
func (p *Provider) Resources(context.Context) []func() resource.Resource {
	return []func() resource.Resource{
		bootstrap.NewResource,
		cloudinitsecret.Kind.NewResource,
		clusternetwork.Kind.NewResource,
		image.NewDecryptedResource,
		image.NewEncryptedResource,
		image.NewResource,
		imagedownload.NewResource,
		network.Kind.NewResource,
		ippool.Kind.NewResource,
		loadbalancer.Kind.NewResource,
		pcidevice.Kind.NewResource,
		sriovdevice.Kind.NewResource,
		schedulebackup.Kind.NewResource,
		setting.Kind.NewResource,
		sshkey.Kind.NewResource,
		storageclass.Kind.NewResource,
		virtualmachine.NewResource,
		vlanconfig.Kind.NewResource,
		volume.Kind.NewResource,
	}
}

// ListResources lists the list resources.
func (p *Provider) ListResources(context.Context) []func() list.ListResource {
	return []func() list.ListResource{
		cloudinitsecret.Kind.NewListResource,
		clusternetwork.Kind.NewListResource,
		image.NewDecryptedListResource,
		image.NewEncryptedListResource,
		image.NewListResource,
		network.Kind.NewListResource,
		ippool.Kind.NewListResource,
		loadbalancer.Kind.NewListResource,
		pcidevice.Kind.NewListResource,
		sriovdevice.Kind.NewListResource,
		schedulebackup.Kind.NewListResource,
		setting.Kind.NewListResource,
		sshkey.Kind.NewListResource,
		storageclass.Kind.NewListResource,
		virtualmachine.NewListResource,
		vlanconfig.Kind.NewListResource,
		volume.Kind.NewListResource,
	}
}

// Actions lists the actions.
func (p *Provider) Actions(context.Context) []func() action.Action {
	return []func() action.Action{
		image.NewWaitAction,
		virtualmachine.NewPowerAction,
		virtualmachine.NewSnapshotAction,
	}
}

// DataSources lists the data sources.
func (p *Provider) DataSources(context.Context) []func() datasource.DataSource {
	return []func() datasource.DataSource{
		cloudinitsecret.Kind.NewDataSource,
		clusternetwork.Kind.NewDataSource,
		image.NewDataSource,
		image.NewDecryptedDataSource,
		image.NewEncryptedDataSource,
		image.NewListDataSource,
		network.Kind.NewDataSource,
		ippool.Kind.NewDataSource,
		loadbalancer.Kind.NewDataSource,
		pcidevice.Kind.NewDataSource,
		sriovdevice.Kind.NewDataSource,
		schedulebackup.Kind.NewDataSource,
		setting.Kind.NewDataSource,
		storageclass.Kind.NewDataSource,
		virtualmachine.NewDataSource,
		vlanconfig.Kind.NewDataSource,
		volume.Kind.NewDataSource,
		sshkey.Kind.NewDataSource,
	}
}

// Functions lists the functions.
func (p *Provider) Functions(context.Context) []func() function.Function { return functions.All() }

// Schema describes the provider block.
func (p *Provider) Schema(_ context.Context, _ provider.SchemaRequest, resp *provider.SchemaResponse) {
	resp.Schema = schema.Schema{
		MarkdownDescription: "Manages virtual machines and their images on [Harvester](https://harvesterhci.io).",
		Attributes: map[string]schema.Attribute{
			kube.FieldKubeconfig: schema.StringAttribute{
				Optional: true, Sensitive: true,
				MarkdownDescription: "The kubeconfig: a path (`~` is your home directory), its YAML text, or that text in base64. " +
					"Default: `" + kube.EnvKubeconfig + "`, then `KUBECONFIG` and `~/.kube/config`. " +
					"Harvester's dashboard offers one under Support. Uploads and downloads need one whose server is Harvester itself " +
					"(`https://…/k8s/clusters/local`), not kube-apiserver (`:6443`).",
			},
			kube.FieldKubecontext: schema.StringAttribute{
				Optional:            true,
				MarkdownDescription: "The context of the kubeconfig to use. Default: `" + kube.EnvKubecontext + "`, then the current context.",
			},
			kube.FieldHost: schema.StringAttribute{
				Optional: true,
				MarkdownDescription: "Address of Harvester, as in `https://harvester.example.com`, instead of a kubeconfig. Needs `token`. " +
					"Default: `" + kube.EnvHost + "`.",
			},
			kube.FieldToken: schema.StringAttribute{
				Optional: true, Sensitive: true,
				MarkdownDescription: "API key to go with `host` (`token-xxxxx:…`). Default: `" + kube.EnvToken + "`.",
			},
			kube.FieldCACertificate: schema.StringAttribute{
				Optional:            true,
				MarkdownDescription: "CA certificate of the cluster in PEM form, instead of that in the kubeconfig. Default: `" + kube.EnvCACertificate + "`.",
			},
			kube.FieldInsecure: schema.BoolAttribute{
				Optional:            true,
				MarkdownDescription: "Do not verify the cluster's certificate. Default: `" + kube.EnvInsecure + "`, then `false`.",
			},
			kube.FieldProxyURL: schema.StringAttribute{
				Optional:            true,
				MarkdownDescription: "Proxy for all requests. Default: `" + kube.EnvProxyURL + "`, then the proxy variables of the environment.",
			},
			fieldPlanChecks: schema.StringAttribute{
				Optional: true,
				MarkdownDescription: "What a plan does with a use of an image that is not ready: `error` refuses, `warn` warns, `off` does not look. " +
					"Apply always refuses. Default: `" + envPlanChecks + "`, then `error`.",
				Validators: []validator.String{stringvalidator.OneOf(planChecks...)},
			},
			fieldUploads: schema.Int64Attribute{
				Optional:            true,
				MarkdownDescription: fmt.Sprintf("How many images are uploaded at a time. Default: `%d`.", session.DefaultUploads),
				Validators:          []validator.Int64{int64validator.Between(1, 64)},
			},
			fieldBootstrap: schema.BoolAttribute{
				Optional: true,
				MarkdownDescription: "With `true`, the provider has no cluster to work on and only serves `harvester_bootstrap`, which meets a fresh one. " +
					"No kubeconfig, `host` or `token` goes with it. Default: `false`.",
			},
		},
	}
}

var planChecks = []string{string(session.ChecksError), string(session.ChecksWarn), string(session.ChecksOff)}

type model struct {
	Kubeconfig    types.String `tfsdk:"kubeconfig"`
	Kubecontext   types.String `tfsdk:"kubecontext"`
	Host          types.String `tfsdk:"host"`
	Token         types.String `tfsdk:"token"`
	CACertificate types.String `tfsdk:"cluster_ca_certificate"`
	Insecure      types.Bool   `tfsdk:"insecure"`
	ProxyURL      types.String `tfsdk:"proxy_url"`
	PlanChecks    types.String `tfsdk:"plan_checks"`
	Uploads       types.Int64  `tfsdk:"max_parallel_uploads"`
	Bootstrap     types.Bool   `tfsdk:"bootstrap"`
}

// Configure connects to the cluster. With arguments that are not known yet there
// is no connection, and no error: checks are skipped, and what really needs the cluster says so.
func (p *Provider) Configure(ctx context.Context, req provider.ConfigureRequest, resp *provider.ConfigureResponse) {
	var config model
	resp.Diagnostics.Append(req.Config.Get(ctx, &config)...)
	if resp.Diagnostics.HasError() {
		return
	}
	if config.unknown() {
		tflog.Info(ctx, "The provider's arguments are not known yet; working without the cluster")
		return
	}
	if config.Bootstrap.ValueBool() {
		mode, diags := config.bootstrap()
		resp.Diagnostics.Append(diags...)
		resp.ResourceData, resp.DataSourceData, resp.ListResourceData, resp.ActionData = mode, mode, mode, mode
		return
	}
	checks, diags := config.planChecks(os.Getenv)
	resp.Diagnostics.Append(diags...)
	connection, err := config.settings().Connection(os.Getenv)
	if err != nil {
		resp.Diagnostics.Append(mistake(diagnose.Config(err)))
	}
	if resp.Diagnostics.HasError() {
		return
	}
	client, err := kube.Connect(connection, "terraform-provider-harvester/"+p.version+" terraform/"+req.TerraformVersion)
	if err != nil {
		resp.Diagnostics.Append(mistake(diagnose.Config(err)))
		return
	}
	uploads := session.DefaultUploads
	if !config.Uploads.IsNull() {
		uploads = int(config.Uploads.ValueInt64())
	}
	shared := session.New(client, checks, uploads)
	resp.ResourceData, resp.DataSourceData, resp.ListResourceData, resp.ActionData = shared, shared, shared, shared
}

// bootstrap is the way to a cluster that has no credentials yet. Those of the environment are for another one.
func (m model) bootstrap() (*session.Bootstrap, diag.Diagnostics) {
	var diags diag.Diagnostics
	for field, value := range map[string]types.String{
		kube.FieldKubeconfig: m.Kubeconfig, kube.FieldKubecontext: m.Kubecontext, kube.FieldHost: m.Host, kube.FieldToken: m.Token,
	} {
		if value.ValueString() != "" {
			diags.AddAttributeError(path.Root(field), "Contradicting arguments",
				fmt.Sprintf("With bootstrap = true there is no cluster to connect to yet, so %s has no use. Remove it, or bootstrap.", field))
		}
	}
	way, err := m.settings().Connection(os.Getenv)
	if err != nil {
		diags.Append(mistake(diagnose.Config(err)))
	}
	return &session.Bootstrap{CACertificate: way.CACertificate, Insecure: way.Insecure, ProxyURL: way.ProxyURL}, diags
}

func mistake(field, summary, detail string) diag.Diagnostic {
	if field == "" {
		return diag.NewErrorDiagnostic(summary, detail)
	}
	return diag.NewAttributeErrorDiagnostic(path.Root(field), summary, detail)
}

func (m model) unknown() bool {
	return m.Kubeconfig.IsUnknown() || m.Kubecontext.IsUnknown() || m.Host.IsUnknown() || m.Token.IsUnknown() ||
		m.CACertificate.IsUnknown() || m.Insecure.IsUnknown() || m.ProxyURL.IsUnknown() || m.PlanChecks.IsUnknown() || m.Uploads.IsUnknown() || m.Bootstrap.IsUnknown()
}

// settings are the arguments that say how to reach the cluster.
func (m model) settings() kube.Settings {
	settings := kube.Settings{}
	for field, value := range map[string]types.String{
		kube.FieldKubeconfig: m.Kubeconfig, kube.FieldKubecontext: m.Kubecontext, kube.FieldHost: m.Host, kube.FieldToken: m.Token,
		kube.FieldCACertificate: m.CACertificate, kube.FieldProxyURL: m.ProxyURL,
	} {
		if !value.IsNull() {
			settings[field] = value.ValueString()
		}
	}
	if !m.Insecure.IsNull() {
		settings[kube.FieldInsecure] = strconv.FormatBool(m.Insecure.ValueBool())
	}
	return settings
}

func (m model) planChecks(env func(string) string) (session.PlanChecks, diag.Diagnostics) {
	checks := m.PlanChecks.ValueString()
	if m.PlanChecks.IsNull() {
		checks = env(envPlanChecks)
	}
	switch {
	case checks == "":
		return session.ChecksError, nil
	case !slices.Contains(planChecks, checks):
		return "", diag.Diagnostics{diag.NewErrorDiagnostic("Invalid provider configuration",
			envPlanChecks+" must be one of "+strings.Join(planChecks, ", ")+".")}
	}
	return session.PlanChecks(checks), nil
}
