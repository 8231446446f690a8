// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

// Package virtualmachine is the resource harvester_virtualmachine: it makes a
// virtual machine from ready images and waits until it runs.
package virtualmachine

import (
	"context"
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/tfsdk"
	"github.com/hashicorp/terraform-plugin-framework/types"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	kubevirtv1 "kubevirt.io/api/core/v1"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/diagnose"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
	"github.com/harvester-community/terraform-provider-harvester/internal/objects"
	"github.com/harvester-community/terraform-provider-harvester/internal/session"
	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
	"github.com/harvester-community/terraform-provider-harvester/internal/virtualmachine/cloudinit"
	"github.com/harvester-community/terraform-provider-harvester/internal/wait"
)

// Type is the name of the resource.
const Type = "harvester_virtualmachine"

// Resource is harvester_virtualmachine.
type Resource struct {
	tfbase.Base
	machines  kube.Resource[kubevirtv1.VirtualMachine]
	instances kube.Resource[kubevirtv1.VirtualMachineInstance]
	volumes   kube.Resource[corev1.PersistentVolumeClaim]
	secrets   kube.Resource[corev1.Secret]
	classes   kube.Resource[storagev1.StorageClass]
}

var (
	_ resource.ResourceWithConfigure      = (*Resource)(nil)
	_ resource.ResourceWithIdentity       = (*Resource)(nil)
	_ resource.ResourceWithImportState    = (*Resource)(nil)
	_ resource.ResourceWithModifyPlan     = (*Resource)(nil)
	_ resource.ResourceWithUpgradeState   = (*Resource)(nil)
	_ resource.ResourceWithValidateConfig = (*Resource)(nil)
)

// NewResource returns the resource, not yet configured.
func NewResource() resource.Resource { return &Resource{Base: tfbase.Base{TypeName: Type}} }

// Schema describes the resource.
func (r *Resource) Schema(_ context.Context, _ resource.SchemaRequest, resp *resource.SchemaResponse) {
	resp.Schema = vmSchema()
}

// Configure takes the session.
func (r *Resource) Configure(ctx context.Context, req resource.ConfigureRequest, resp *resource.ConfigureResponse) {
	r.Base.Configure(ctx, req, resp)
	if r.Session != nil {
		r.connect(r.Session)
	}
}

func (r *Resource) connect(s *session.Session) {
	r.Session = s
	r.machines = kube.For[kubevirtv1.VirtualMachine](r.Session.Client, api.VirtualMachines, "VirtualMachine")
	r.instances = kube.For[kubevirtv1.VirtualMachineInstance](r.Session.Client, api.VirtualMachineInstances, "VirtualMachineInstance")
	r.volumes = kube.For[corev1.PersistentVolumeClaim](r.Session.Client, api.PersistentVolumeClaims, "PersistentVolumeClaim")
	r.secrets = kube.For[corev1.Secret](r.Session.Client, api.Secrets, "Secret")
	r.classes = kube.For[storagev1.StorageClass](r.Session.Client, api.StorageClasses, "StorageClass")
}

// IdentitySchema is that of the address of the machine.
func (r *Resource) IdentitySchema(_ context.Context, _ resource.IdentitySchemaRequest, resp *resource.IdentitySchemaResponse) {
	resp.IdentitySchema = tfbase.NamespacedAddress(what)
}

// ImportState takes namespace/name, or the address.
func (r *Resource) ImportState(ctx context.Context, req resource.ImportStateRequest, resp *resource.ImportStateResponse) {
	tfbase.ImportNamespaced(ctx, req, resp)
}

// Create makes the machine and waits for it. Everything that can be checked is
// checked before the first write; the id is in the state before the wait begins.
func (r *Resource) Create(ctx context.Context, req resource.CreateRequest, resp *resource.CreateResponse) {
	var plan model
	if !r.Loaded(&resp.Diagnostics, req.Plan.Get(ctx, &plan)) {
		return
	}
	resp.Diagnostics.Append(tfbase.Locate(ctx, resp.Identity, &plan)...)
	ctx, cancel := plan.Timeouts.Creating(ctx, limits)
	defer cancel()

	vm, finish, diags := r.create(ctx, &plan)
	defer finish()
	if vm != nil {
		diags.Append(tfbase.Own(ctx, resp.Private, vm.object)...)
		diags.Append(save(ctx, &plan, sight{vm: vm.object, secrets: vm.secrets}, &resp.State)...)
	}
	resp.Diagnostics.Append(diags...)
	if resp.Diagnostics.HasError() {
		return
	}
	resp.Diagnostics.Append(r.await(ctx, &plan, goalOf(&plan, ""), "It exists and is marked for replacement: "+
		"the next apply deletes it and starts over, and volumes without auto_delete stay. If it only needs longer, run terraform untaint on it to keep it.")...)
	if plan.CreateInitialSnapshot.ValueBool() && !resp.Diagnostics.HasError() {
		// As an error it would mark the machine for replacement.
		resp.Diagnostics.Append(session.Warnings(r.snapshot(ctx, &plan, resp.Private)...)...)
	}
	resp.Diagnostics.Append(r.refresh(ctx, &plan, nil, &resp.State)...)
}

// Read refreshes the state. Only a NotFound removes it.
func (r *Resource) Read(ctx context.Context, req resource.ReadRequest, resp *resource.ReadResponse) {
	var state model
	if !r.Loaded(&resp.Diagnostics, req.State.Get(ctx, &state)) {
		return
	}
	resp.Diagnostics.Append(tfbase.Locate(ctx, resp.Identity, &state)...)
	ctx, cancel := state.Timeouts.Reading(ctx, limits)
	defer cancel()

	state.CreateInitialSnapshot = types.BoolValue(state.CreateInitialSnapshot.ValueBool() && !owesSnapshot(ctx, req.Private))
	seen, err := r.glance(ctx, &state)
	if !tfbase.Found(ctx, state.title(), err, resp) {
		return
	}
	ours, diags := tfbase.Recognize(ctx, resp.Private, identity(ctx, req.Private, &state), seen.vm)
	resp.Diagnostics.Append(diags...)
	if ours {
		objects.Settle(ctx, seen.vm, r.annotate)
	}
	resp.Diagnostics.Append(save(ctx, &state, seen, &resp.State)...)
}

func identity(ctx context.Context, private tfbase.PrivateReader, state *model) objects.Identity {
	return tfbase.Identity(ctx, private, what, state)
}

func (r *Resource) annotate(ctx context.Context, vm *kubevirtv1.VirtualMachine, metadata map[string]any) (*kubevirtv1.VirtualMachine, error) {
	return r.machines.Patch(ctx, vm.Namespace, vm.Name, map[string]any{"metadata": metadata})
}

// Update changes the machine in place, restarts it if that is wanted and needed,
// and waits for it.
func (r *Resource) Update(ctx context.Context, req resource.UpdateRequest, resp *resource.UpdateResponse) {
	var plan, state model
	if !r.Loaded(&resp.Diagnostics, req.Plan.Get(ctx, &plan), req.State.Get(ctx, &state)) {
		return
	}
	resp.Diagnostics.Append(tfbase.Locate(ctx, resp.Identity, &plan)...)
	ctx, cancel := plan.Timeouts.Updating(ctx, limits)
	defer cancel()

	planned, diags := plan.machine(ctx)
	resp.Diagnostics.Append(diags...)
	wanted := plan // the machine below is what refresh makes of the plan
	planned.model = &wanted
	effect, diags := r.change(ctx, &plan, &state, identity(ctx, req.Private, &state))
	resp.Diagnostics.Append(diags...)
	if effect.unrestarted {
		plan.RestartAfterUpdate = types.BoolValue(false) // so that the next plan has it to switch on
		resp.Diagnostics.Append(r.refresh(ctx, &plan, nil, &resp.State)...)
	}
	if resp.Diagnostics.HasError() {
		return
	}
	if effect.settle {
		resp.Diagnostics.Append(r.await(ctx, &plan, goalOf(&plan, effect.restarted), "The change itself was accepted.")...)
	}
	if plan.CreateInitialSnapshot.ValueBool() && owesSnapshot(ctx, req.Private) && !resp.Diagnostics.HasError() {
		resp.Diagnostics.Append(r.snapshot(ctx, &plan, resp.Private)...)
	}
	if resp.Diagnostics.HasError() {
		resp.Diagnostics.Append(r.refresh(ctx, &plan, nil, &resp.State)...)
		return
	}
	resp.Diagnostics.Append(r.refresh(ctx, &plan, &planned, &resp.State)...)
}

// Delete removes the machine, and of its volumes those it owns and that are
// to go with it.
func (r *Resource) Delete(ctx context.Context, req resource.DeleteRequest, resp *resource.DeleteResponse) {
	var state model
	if !r.Loaded(&resp.Diagnostics, req.State.Get(ctx, &state)) {
		return
	}
	ctx, cancel := state.Timeouts.Deleting(ctx, limits)
	defer cancel()
	resp.Diagnostics.Append(r.remove(ctx, &state, identity(ctx, req.Private, &state))...)
}

// refresh reads the machine and saves what it is now, with what was planned as known, if given. After a wait
// that failed the time is up, so it gets a little of its own.
func (r *Resource) refresh(ctx context.Context, m *model, planned *machine, state *tfsdk.State) diag.Diagnostics {
	ctx, cancel := wait.Afterwards(ctx)
	defer cancel()
	seen, err := r.look(ctx, m)
	if err != nil {
		return diag.Diagnostics{diagnose.API("read", m.title(), "What was done to it stays. Plan again to see its state.", err)}
	}
	diags := m.read(ctx, seen)
	if planned != nil {
		diags.Append(m.asPlanned(ctx, *planned)...)
	}
	return append(diags, state.Set(ctx, m)...)
}

// look reads all there is to see of a machine. The error is that of the machine
// itself if there is none.
func (r *Resource) look(ctx context.Context, m *model) (sight, error) {
	return r.see(ctx, m, r.machines.Get, r.instances.Get)
}

// glance is look from lists that all machines of a run share.
func (r *Resource) glance(ctx context.Context, m *model) (sight, error) {
	return r.see(ctx, m, r.machines.Recent, r.instances.Listed)
}

type get[T any] func(ctx context.Context, namespace, name string) (*T, error)

func (r *Resource) see(
	ctx context.Context, m *model, machine get[kubevirtv1.VirtualMachine], instance get[kubevirtv1.VirtualMachineInstance],
) (sight, error) {
	seen, err := pair(ctx, m.Namespace.ValueString(), m.Name.ValueString(), machine, instance)
	if err == nil {
		known, _ := m.machine(ctx)
		seen.secrets = r.secretsOf(ctx, seen.vm, known.cloudInit)
	}
	return seen, err
}

// pair reads a machine and its instance.
func pair(
	ctx context.Context, namespace, name string, machine get[kubevirtv1.VirtualMachine], instance get[kubevirtv1.VirtualMachineInstance],
) (sight, error) {
	vm, err := machine(ctx, namespace, name)
	if err != nil {
		return sight{}, err
	}
	vmi, err := instance(ctx, namespace, name)
	switch {
	case apierrors.IsNotFound(err):
		vmi = nil
	case err != nil:
		// Not to be mistaken for the machine's own absence.
		return sight{}, fmt.Errorf("read the instance: %w", err)
	}
	return sight{vm: vm, vmi: vmi}, nil
}

// secretsOf reads the Secrets with the machine's cloud-init data, save those that the block names itself:
// what they hold is not asked for. One that cannot be read is left out: then nothing is known to differ.
func (r *Resource) secretsOf(ctx context.Context, vm *kubevirtv1.VirtualMachine, block *cloudinit.Model) []*corev1.Secret {
	var secrets []*corev1.Secret
	for _, name := range cloudinit.SecretsOf(vm) {
		if block.Names(name) {
			continue
		}
		if secret, err := r.secrets.Get(ctx, vm.Namespace, name); err == nil {
			secrets = append(secrets, secret)
		}
	}
	return secrets
}

func save(ctx context.Context, m *model, seen sight, state *tfsdk.State) diag.Diagnostics {
	diags := m.read(ctx, seen)
	diags.Append(state.Set(ctx, m)...)
	return diags
}
