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
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
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
func remove(d *tfbase.Deleting[*model, *volume]) {
	c := clientsOf(d.Session)
	released, _ := d.Private.GetKey(context.Background(), keyReleased)
	letGo := &release{allowed: d.State.ForceDetach.ValueBool() || string(released) == "true"}
	d.Find = func(ctx context.Context) (*volume, error) {
		return c.find(ctx, &volume{PersistentVolumeClaim: &corev1.PersistentVolumeClaim{
			ObjectMeta: metav1.ObjectMeta{Namespace: d.Identity.Namespace, Name: d.Identity.Name},
		}, data: &api.DataVolume{}})
	}
	d.Request = func(ctx context.Context, seen *volume) diag.Diagnostics {
		return c.requestDeletion(ctx, d.State, seen, letGo)
	}
	d.AwaitGone = func(ctx context.Context, seen *volume) error {
		if letGo.heldBy != "" {
			return nil // it ends with the run of the machine, which may go on for years
		}
		return c.awaitEnd(ctx, d.Identity.Title, seen)
	}
}

// awaitEnd waits until claim and data volume are gone. The error says what still uses the claim.
func (c clients) awaitEnd(ctx context.Context, title string, seen *volume) error {
	var ends []wait.Target
	if !seen.unborn {
		ends = append(ends, wait.Target{Resource: api.PersistentVolumeClaims, Namespace: seen.Namespace, Name: seen.Name, UID: seen.UID})
	}
	if seen.unborn || seen.Annotations[api.AnnotationDataVolume] != "" {
		ends = append(ends, wait.Target{Resource: api.DataVolumes, Namespace: seen.Namespace, Name: seen.Name})
	}
	for _, target := range ends {
		err := c.session.Hub.UntilGone(ctx, target, func(object *unstructured.Unstructured) string {
			return "being deleted" + objects.HeldBy(object.GetFinalizers())
		})
		if err != nil {
			return c.explainEnd(ctx, title, seen, err)
		}
	}
	return nil
}

func (c clients) explainEnd(ctx context.Context, title string, seen *volume, err error) error {
	hint := ""
	after, cancel := wait.Afterwards(ctx)
	defer cancel()
	if users, _ := c.users(after, seen.Namespace, seen.Name); len(users) > 0 {
		hint = fmt.Sprintf("It is used by the virtual machine %s, so Kubernetes keeps it until that has ended.", strings.Join(users, ", "))
	}
	return &objects.DescribedError{Diagnostics: diag.Diagnostics{diagnose.API("delete", title, diagnose.Paragraphs(hint, objects.LeftDeleting), err)}}
}

// requestDeletion asks for the deletion. A machine that is itself being deleted stands in the way only until
// it is gone, which Harvester may notice a moment late; from others the volume is taken, if that is allowed.
func (c clients) requestDeletion(ctx context.Context, state *model, seen *volume, letGo *release) diag.Diagnostics {
	if seen.unborn {
		if err := c.dataVolumes.Delete(ctx, seen.Namespace, seen.Name, seen.data.UID); err != nil && !apierrors.IsNotFound(err) {
			return objects.NotDeleted(state.title(), err)
		}
		return nil
	}
	for {
		err := c.claims.Delete(ctx, seen.Namespace, seen.Name, seen.UID)
		if err == nil || apierrors.IsNotFound(err) {
			return letGo.warning(state)
		}
		machine, inUse := userOf(err, seen.Namespace)
		switch {
		case !inUse:
			return objects.NotDeleted(state.title(), err)
		case letGo.allowed:
			if diags := c.detach(ctx, state, machine, seen.Name, letGo); diags.HasError() {
				return diags
			}
		case !c.leaving(ctx, machine, seen.Name):
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
func (c clients) leaving(ctx context.Context, machine, claim string) bool {
	namespace, name, err := tfbase.ParseID(machine)
	if err != nil {
		return false
	}
	target := wait.Target{Resource: api.VirtualMachines, Namespace: namespace, Name: name}
	limited, cancel := context.WithTimeout(ctx, grace)
	defer cancel()
	object, err := c.session.Hub.Until(limited, target, func(object *unstructured.Unstructured) (wait.Progress, error) {
		leaves, err := givesUp(object, claim)
		return wait.Progress{Done: leaves}, err
	}, wait.Options{})
	if err != nil {
		return false
	}
	if object != nil && object.GetDeletionTimestamp() != nil {
		target.UID = object.GetUID()
		_ = c.session.Hub.UntilGone(ctx, target, func(*unstructured.Unstructured) string { return "the virtual machine ends" })
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
			"If this configuration takes it off the machine, there are two ways: change the machine first (terraform apply -target=harvester_virtualmachine.<name>), "+
			"or put the volume back, with force_detach = true, apply that, and remove it again. Else detach it in Harvester's dashboard, or delete the machine.",
		state.title(), machine))
}
