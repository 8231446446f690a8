// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package volume

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/diagnose"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
	"github.com/harvester-community/terraform-provider-harvester/internal/objects"
	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
	"github.com/harvester-community/terraform-provider-harvester/internal/wait"
)

// remove deletes the volume and waits until it is gone. The data volume that CDI made it for
// is Harvester's to remove, unless it has no claim yet.
func (r *Resource) remove(ctx context.Context, state *model) diag.Diagnostics {
	namespace, name := state.Namespace.ValueString(), state.Name.ValueString()
	claim, err := r.claims.Get(ctx, namespace, name)
	switch {
	case apierrors.IsNotFound(err):
		return r.removeUnborn(ctx, state)
	case err != nil:
		return diag.Diagnostics{diagnose.API("delete", state.title(), "Nothing was deleted.", err)}
	}
	if diags := r.requestDeletion(ctx, state, claim); diags.HasError() {
		return diags
	}
	ends := []wait.Target{{Resource: api.PersistentVolumeClaims, Namespace: namespace, Name: name, UID: claim.UID}}
	if claim.Annotations[api.AnnotationDataVolume] != "" {
		ends = append(ends, wait.Target{Resource: api.DataVolumes, Namespace: namespace, Name: name})
	}
	for _, target := range ends {
		if diags := r.awaitEnd(ctx, state, target); diags.HasError() {
			return diags
		}
	}
	return nil
}

// removeUnborn deletes a data volume of this provider that has no claim yet.
func (r *Resource) removeUnborn(ctx context.Context, state *model) diag.Diagnostics {
	data, err := r.dataVolumes.Get(ctx, state.Namespace.ValueString(), state.Name.ValueString())
	if err != nil || data.Annotations[api.AnnotationOrigin] == "" {
		return nil // no such thing: the volume is gone
	}
	if err := r.dataVolumes.Delete(ctx, data.Namespace, data.Name, data.UID); err != nil && !apierrors.IsNotFound(err) {
		return objects.NotDeleted(state.title(), err)
	}
	return r.awaitEnd(ctx, state, wait.Target{Resource: api.DataVolumes, Namespace: data.Namespace, Name: data.Name, UID: data.UID})
}

func (r *Resource) awaitEnd(ctx context.Context, state *model, target wait.Target) diag.Diagnostics {
	err := r.Session.Hub.UntilGone(ctx, target, func(object *unstructured.Unstructured) string {
		return "being deleted" + objects.HeldBy(object.GetFinalizers())
	})
	if err == nil {
		return nil
	}
	hint := ""
	after, cancel := afterwards(ctx)
	defer cancel()
	if users, _ := r.users(after, target.Namespace, target.Name); len(users) > 0 {
		hint = fmt.Sprintf("It is used by the virtual machine %s, so Kubernetes keeps it until that has ended.", strings.Join(users, ", "))
	}
	return diag.Diagnostics{diagnose.API("delete", state.title(), paragraphs(hint, objects.LeftDeleting), err)}
}

// requestDeletion asks for the deletion. A machine that is itself being deleted stands in
// the way only until it is gone, which Harvester may notice a moment late.
func (r *Resource) requestDeletion(ctx context.Context, state *model, claim *corev1.PersistentVolumeClaim) diag.Diagnostics {
	for {
		err := r.claims.Delete(ctx, claim.Namespace, claim.Name, claim.UID)
		if err == nil || apierrors.IsNotFound(err) {
			return nil
		}
		machine, inUse := userOf(err, claim.Namespace)
		switch {
		case !inUse:
			return objects.NotDeleted(state.title(), err)
		case !r.leaving(ctx, machine, claim.Name):
			return diag.Diagnostics{inUseDiagnostic(state, machine)}
		}
		if wait.Pause(ctx, 500*time.Millisecond); ctx.Err() != nil {
			return diag.Diagnostics{diagnose.API("delete", state.title(),
				fmt.Sprintf("It was not deleted: the virtual machine %q has it still.", machine), ctx.Err())}
		}
	}
}

// attachedTo and ownedBy match the refusals of Harvester's webhook
// (pkg/webhook/resources/persistentvolumeclaim/validator.go).
var (
	attachedTo = regexp.MustCompile(`currently attached to VM: (\S+/[^\s"]+)`)
	ownedBy    = regexp.MustCompile(`currently owned by these VMs: ([^\s",]+)`)
)

// userOf is the machine, as namespace/name, for which Harvester refuses the deletion.
func userOf(err error, namespace string) (machine string, inUse bool) {
	if match := attachedTo.FindStringSubmatch(err.Error()); match != nil {
		return match[1], true
	}
	if match := ownedBy.FindStringSubmatch(err.Error()); match != nil {
		return tfbase.ID(namespace, match[1]), true
	}
	return "", false
}

// grace is how long a machine may take to begin to give a volume up. A run that deletes
// both of them, or detaches the one from the other, need not know their order.
const grace = 15 * time.Second

// leaving waits until a machine has given the volume up, if it begins to do so, and says whether it did.
func (r *Resource) leaving(ctx context.Context, machine, claim string) bool {
	namespace, name, err := tfbase.ParseID(machine)
	if err != nil {
		return false
	}
	target := wait.Target{Resource: api.VirtualMachines, Namespace: namespace, Name: name}
	limited, cancel := context.WithTimeout(ctx, grace)
	defer cancel()
	object, err := r.Session.Hub.Until(limited, target, func(object *unstructured.Unstructured) (wait.Progress, error) {
		leaves, err := givesUp(object, claim)
		return wait.Progress{Done: leaves}, err
	}, wait.Options{})
	if err != nil {
		return false
	}
	if object != nil && object.GetDeletionTimestamp() != nil {
		target.UID = object.GetUID()
		_ = r.Session.Hub.UntilGone(ctx, target, func(*unstructured.Unstructured) string { return "the virtual machine ends" })
	}
	return true // if it is not gone, the time is up
}

// givesUp says that a machine is about to end, or has the volume no more.
func givesUp(object *unstructured.Unstructured, claim string) (bool, error) {
	if object == nil || object.GetDeletionTimestamp() != nil {
		return true, nil
	}
	machine, err := kube.Decode[api.MachineVolumes](object)
	return err == nil && !machine.Has(claim), err
}

func inUseDiagnostic(state *model, machine string) diag.Diagnostic {
	return diag.NewErrorDiagnostic("Volume in use", fmt.Sprintf(
		"The %s cannot be deleted, because the virtual machine %q has it. It was not deleted.\n\n"+
			"Delete the machine, or detach the volume from it, then apply again. Where Terraform manages the machine, let it refer to the volume "+
			"(existing_volume_name = harvester_volume.<name>.name), so that it goes first.", state.title(), machine))
}
