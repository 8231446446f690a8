// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package virtualmachine

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/rand"
	kubevirtv1 "kubevirt.io/api/core/v1"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/diagnose"
	"github.com/harvester-community/terraform-provider-harvester/internal/objects"
	"github.com/harvester-community/terraform-provider-harvester/internal/virtualmachine/arg"
	"github.com/harvester-community/terraform-provider-harvester/internal/virtualmachine/cloudinit"
	"github.com/harvester-community/terraform-provider-harvester/internal/virtualmachine/disk"
	"github.com/harvester-community/terraform-provider-harvester/internal/virtualmachine/nic"
	"github.com/harvester-community/terraform-provider-harvester/internal/wait"
)

// effect is what a change brings about.
type effect struct {
	// settle: the machine may start, stop or restart now, so wait for it.
	settle bool
	// restarted is the UID of the instance that a restart ends.
	restarted string
	// unrestarted: the change was accepted, and the restart that belongs to it was not.
	unrestarted bool
	// ejected are the volumes of media that drives have not any more, to be deleted.
	ejected []string
}

// tries is how often a change is rebased onto a machine that somebody else
// changed in the meantime. Harvester's controllers write to machines often.
const tries = 5

// change brings the machine from the state to the plan. Volumes grow first: a
// machine that names a size its volume refuses would be wrong for ever.
func (r *Resource) change(ctx context.Context, plan, state *model, identity objects.Identity) (effect, diag.Diagnostics) {
	after, diags := plan.machine(ctx)
	before, more := state.machine(ctx)
	if diags.Append(more...); diags.HasError() {
		return effect{}, diags
	}
	if diags.Append(r.recognize(ctx, identity)...); diags.HasError() {
		return effect{}, diags
	}
	after, wanted, more := r.prepare(ctx, after, &before)
	if diags.Append(more...); diags.HasError() {
		return effect{}, diags
	}
	if diags.Append(r.growVolumes(ctx, after, before)...); diags.HasError() {
		return effect{}, diags
	}
	reseeded := false
	if wanted != nil {
		if reseeded, more = r.reseed(ctx, after, wanted); more.HasError() {
			return effect{}, append(diags, more...)
		}
	}
	for try := 1; ; try++ {
		result, conflict, more := r.attempt(ctx, identity, after, before, wanted, reseeded)
		if conflict && try < tries {
			continue
		}
		diags.Append(more...)
		return result, append(diags, r.discard(ctx, after, result.ejected)...)
	}
}

// recognize refuses a machine that others have put in the place of ours, before its volumes grow.
func (r *Resource) recognize(ctx context.Context, identity objects.Identity) diag.Diagnostics {
	live, err := r.machines.Get(ctx, identity.Namespace, identity.Name)
	if err == nil && !identity.Is(live) {
		return diag.Diagnostics{identity.NotOurs()}
	}
	return nil // what cannot be read is met again by what follows
}

const grown = "Volumes may have grown already; apply again to finish."

// attempt makes one try at the change. Conflict says that somebody else was faster.
func (r *Resource) attempt(ctx context.Context, identity objects.Identity, after, before machine, wanted *cloudinit.Seed, reseeded bool) (result effect, conflict bool, diags diag.Diagnostics) {
	live, err := r.machines.Get(ctx, after.Namespace.ValueString(), after.Name.ValueString())
	if err != nil {
		return result, false, diag.Diagnostics{diagnose.API("read", after.title(), grown, err)}
	}
	if !identity.Is(live) {
		return result, false, diag.Diagnostics{identity.NotOurs()}
	}
	live = withTemplate(live)
	desired := live.DeepCopy()
	if diags = after.onto(ctx, desired, &before, wanted); diags.HasError() {
		return result, false, diags
	}
	var patched *kubevirtv1.VirtualMachine
	err = r.whenFree(ctx, live.Namespace, after.attached(&before), func() (err error) {
		patched, err = r.patch(ctx, live, desired)
		return err
	})
	if err != nil {
		return result, apierrors.IsConflict(err), diag.Diagnostics{diagnose.API("change", after.title(), grown, err)}
	}
	if patched, diags = r.insist(ctx, after, withTemplate(patched)); diags.HasError() {
		return result, false, diags
	}
	patched = withTemplate(patched)
	result, diags = r.effectOf(ctx, after, before, live, patched, reseeded)
	result.ejected = disk.Ejected(after.disks, before.disks, live, patched)
	return result, false, diags
}

// effectOf restarts the machine if that is wanted and needed.
func (r *Resource) effectOf(ctx context.Context, m, before machine, live, patched *kubevirtv1.VirtualMachine, reseeded bool) (result effect, diags diag.Diagnostics) {
	was, _ := live.RunStrategy()
	is, _ := patched.RunStrategy()
	changed := !equality.Semantic.DeepEqual(live.Spec.Template.Spec, patched.Spec.Template.Spec)
	_, pending := restartRequired(live)
	pending = pending && !before.RestartAfterUpdate.ValueBool()
	result.settle = changed || reseeded || was != is || !slices.Equal(nic.Leases(live), nic.Leases(patched))
	if was == is && is == kubevirtv1.RunStrategyRerunOnFailure && r.poweredOff(ctx, live) {
		return effect{}, nil // it stays so until somebody starts it
	}
	if !m.runs() || !m.RestartAfterUpdate.ValueBool() || was == kubevirtv1.RunStrategyHalted ||
		!pending && !reseeded && (!changed || !r.wantsRestart(ctx, patched)) {
		return result, nil
	}
	restarted, err := r.restart(ctx, live.Namespace, live.Name)
	if err != nil {
		result.unrestarted = true
		return result, diag.Diagnostics{diagnose.API("restart", m.title(),
			"The change was accepted, but what needs a restart is not in effect. The next apply tries again to restart the machine.", err)}
	}
	result.restarted, result.settle = restarted, true
	return result, nil
}

// poweredOff says that the machine was shut down, by its guest or by somebody who stopped it, in a way that
// RerunOnFailure respects: KubeVirt starts such a machine anew only when its strategy changes
// (pkg/virt-controller/watch/vm/vm.go, syncRunStrategy).
func (r *Resource) poweredOff(ctx context.Context, vm *kubevirtv1.VirtualMachine) bool {
	vmi, err := r.instances.Get(ctx, vm.Namespace, vm.Name)
	switch {
	case apierrors.IsNotFound(err):
		return staysOff(vm)
	case err != nil:
		return false
	}
	return !ofAnother(vm, vmi) && shutDown(vm, vmi)
}

// judgement is how long KubeVirt may take to look at a change.
const judgement = 30 * time.Second

// wantsRestart waits until KubeVirt has looked at a change, and says whether it could not take all of it while the
// machine runs. Only it knows that: it depends on its version, its settings and the node. If it does not look, a
// restart is what was asked for.
func (r *Resource) wantsRestart(ctx context.Context, changed *kubevirtv1.VirtualMachine) bool {
	ctx, cancel := context.WithTimeout(ctx, judgement)
	defer cancel()
	target := wait.Target{Resource: api.VirtualMachines, Namespace: changed.Namespace, Name: changed.Name, UID: changed.UID}
	needed := true
	_, err := r.Session.Hub.Until(ctx, target, func(object *unstructured.Unstructured) (wait.Progress, error) {
		vm, err := decoded[kubevirtv1.VirtualMachine](object)
		if err != nil || vm == nil {
			return wait.Progress{Done: vm == nil}, err
		}
		looked := vm.Generation >= changed.Generation && vm.Status.DesiredGeneration >= changed.Generation
		if looked {
			_, needed = restartRequired(vm)
		}
		return wait.Progress{Done: looked, Message: "KubeVirt has not looked at the change"}, nil
	}, wait.Options{})
	return needed || err != nil
}

// restart ends the running instance for a new one, and returns the UID of the
// old; "" if there is none to end: the next start uses the new settings anyway.
func (r *Resource) restart(ctx context.Context, namespace, name string) (string, error) {
	for try := 1; ; try++ {
		vmi, err := r.instances.Get(ctx, namespace, name)
		switch {
		case apierrors.IsNotFound(err) || err == nil && vmi.IsFinal():
			return "", nil
		case err != nil:
			return "", err
		}
		err = r.Session.Client.PutSubresource(ctx, api.VirtualMachines, namespace, name, "restart")
		if err == nil || !apierrors.IsConflict(err) || try == tries {
			return string(vmi.UID), err
		}
		// KubeVirt itself writes to the machine here, and can be too late as well.
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case <-time.After(time.Duration(try) * 200 * time.Millisecond):
		}
	}
}

// reseed keeps long cloud-init data in a Secret of the machine, and says whether that had to be
// changed. The seed then names the Secret.
func (r *Resource) reseed(ctx context.Context, m machine, wanted *cloudinit.Seed) (changed bool, diags diag.Diagnostics) {
	for try := 1; ; try++ {
		changed, err := r.offload(ctx, m, wanted)
		switch {
		case err == nil:
			return changed, nil
		case try < tries && (apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err)):
			continue // somebody else was faster
		}
		return false, diag.Diagnostics{diagnose.API("write the cloud-init data of", m.title(), grown, err)}
	}
}

// offload writes to the Secret that the machine has for its data already, as long as it is the machine's own
// and as it was read. Otherwise it makes a new one.
func (r *Resource) offload(ctx context.Context, m machine, wanted *cloudinit.Seed) (changed bool, err error) {
	live, err := r.machines.Get(ctx, m.Namespace.ValueString(), m.Name.ValueString())
	if err != nil {
		return false, err
	}
	seed, name := *wanted, cloudinit.SecretPrefix(live.Name)+rand.String(5)
	own := r.ownSecret(ctx, live)
	if own != nil {
		name = own.Name
	}
	data := seed.Offload(name)
	changed = data != nil && (own == nil || !maps.EqualFunc(own.Data, data, slices.Equal))
	switch {
	case !changed:
	case own == nil:
		_, err = r.secrets.Create(ctx, live.Namespace, ownedSecret(live, name, data))
	default:
		_, err = r.secrets.Patch(ctx, live.Namespace, name, map[string]any{
			"metadata": map[string]any{"uid": string(own.UID), "resourceVersion": own.ResourceVersion},
			"data":     difference(anyMap(own.Data), anyMap(data)),
		})
	}
	if err == nil {
		*wanted = seed
	}
	return changed, err
}

// ownSecret is the Secret with cloud-init data that belongs to the machine; nil if there is none, or none that can be read.
func (r *Resource) ownSecret(ctx context.Context, vm *kubevirtv1.VirtualMachine) *corev1.Secret {
	for _, secret := range r.secretsOf(ctx, vm, nil) {
		if cloudinit.Owns(vm, secret) {
			return secret
		}
	}
	return nil
}

func anyMap(data map[string][]byte) map[string]any {
	result := map[string]any{}
	for key, value := range data {
		result[key] = value
	}
	return result
}

// growVolumes makes the volumes of disks that are planned larger larger.
func (r *Resource) growVolumes(ctx context.Context, after, before machine) diag.Diagnostics {
	var diags diag.Diagnostics
	for i, d := range after.disks {
		old := before.disk(d)
		if d.NeedsVolume(old) || !d.Owns() || arg.Bytes(d.Size.ValueString()) <= arg.Bytes(old.Size.ValueString()) {
			continue
		}
		if err := r.grow(ctx, d, after.Namespace.ValueString()); err != nil {
			problem := diagnose.API("resize the volume of", after.title(), "The machine was not changed. Volumes of other disks may have grown already; apply again to finish.", err)
			diags.Append(diag.WithPath(diskPath(i, "size"), problem))
		}
	}
	return diags
}

func (r *Resource) grow(ctx context.Context, d disk.Disk, namespace string) error {
	volume, err := r.volumes.Get(ctx, namespace, d.VolumeName.ValueString())
	if apierrors.IsNotFound(err) {
		return nil // Harvester makes it from its template, in the right size
	}
	if err != nil {
		return err
	}
	size, err := resource.ParseQuantity(d.Size.ValueString())
	if err != nil || volume.Spec.Resources.Requests.Storage().Cmp(size) >= 0 {
		return err
	}
	_, err = r.volumes.Patch(ctx, namespace, volume.Name, map[string]any{
		"spec": map[string]any{"resources": map[string]any{"requests": map[string]any{"storage": size.String()}}},
	})
	return err
}
