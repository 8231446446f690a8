// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package image

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/diagnose"
	"github.com/harvester-community/terraform-provider-harvester/internal/imagestate"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
	"github.com/harvester-community/terraform-provider-harvester/internal/objects"
	"github.com/harvester-community/terraform-provider-harvester/internal/session"
	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
	"github.com/harvester-community/terraform-provider-harvester/internal/wait"
)

// remove deletes the image and waits until it is gone.
func (r *lifecycle) remove(ctx context.Context, state *model, identity objects.Identity) diag.Diagnostics {
	removal := objects.Removing(r.Session.Hub, r.images, identity)
	removal.Request = func(ctx context.Context, image *api.VirtualMachineImage) diag.Diagnostics {
		return r.requestDeletion(ctx, state, image)
	}
	return removal.Run(ctx)
}

// requestDeletion asks for the deletion. A volume that is itself being deleted
// stands in the way only for a moment, so that is waited for.
func (r *lifecycle) requestDeletion(ctx context.Context, state *model, image *api.VirtualMachineImage) diag.Diagnostics {
	for {
		err := r.images.Delete(ctx, image.Namespace, image.Name, image.UID)
		if err == nil || apierrors.IsNotFound(err) {
			r.noteIncomplete(image)
			return nil
		}
		user, inUse := userOf(err)
		if !inUse {
			return objects.NotDeleted(state.title(), err)
		}
		owners, leaving := r.inspectUser(ctx, user)
		if !leaving {
			return diag.Diagnostics{inUseDiagnostic(state, user, owners)}
		}
		if wait.Pause(ctx, 500*time.Millisecond); ctx.Err() != nil {
			return diag.Diagnostics{diagnose.API("delete", state.title(), "It was not deleted: it is still used by "+user.String()+
				", which is being deleted. A virtual machine that runs with a volume keeps it until it restarts or stops.", ctx.Err())}
		}
	}
}

// noteIncomplete notes that an upload may have been cut short; see untilLastWord.
func (r *lifecycle) noteIncomplete(image *api.VirtualMachineImage) {
	if state := imagestate.Of(image); state.SourceType == api.SourceUpload && !state.Imported() {
		r.Session.Incomplete.Store(session.ImageID(state.ID()), time.Now())
	}
}

// user is what keeps an image from being deleted.
type user struct{ kind, namespace, name string }

func (u user) String() string { return fmt.Sprintf("%s %s/%s", u.kind, u.namespace, u.name) }

// usedBy matches the refusals of Harvester's webhook (pkg/image/common/validator.go).
var usedBy = regexp.MustCompile(`being used by (volume|VMTemplateVersion|VMBackups?) ([^\s/]+)(?:/(\S+))?`)

func userOf(err error) (user, bool) {
	match := usedBy.FindStringSubmatch(err.Error())
	if match == nil {
		return user{}, false
	}
	return user{kind: match[1], namespace: match[2], name: match[3]}, true
}

// inspectUser looks at a volume that uses the image: which virtual machines have it, and
// whether it is about to leave. What cannot be read is nil.
func (r *lifecycle) inspectUser(ctx context.Context, u user) (owners []string, leaving bool) {
	if u.kind != "volume" {
		return nil, false
	}
	volume, err := kube.For[corev1.PersistentVolumeClaim](r.Session.Client, api.PersistentVolumeClaims, "PersistentVolumeClaim").
		Get(ctx, u.namespace, u.name)
	if apierrors.IsNotFound(err) || err == nil && volume.DeletionTimestamp != nil {
		return nil, true
	}
	machines, err := kube.For[api.MachineVolumes](r.Session.Client, api.VirtualMachines, "VirtualMachine").List(ctx, u.namespace, "")
	if err != nil {
		return nil, false
	}
	owners = []string{}
	for _, machine := range machines {
		if machine.Has(u.name) {
			owners = append(owners, tfbase.ID(machine.Namespace, machine.Name))
		}
	}
	return owners, false
}

func inUseDiagnostic(state *model, u user, owners []string) diag.Diagnostic {
	why := "Remove what uses it first, then apply again."
	switch {
	case u.kind != "volume" || owners == nil:
	case len(owners) == 0:
		why = "No virtual machine has that volume: it stayed behind when its machine was deleted, or its medium ejected, without auto_delete = true, " +
			"or it is a volume of its own. Delete it if its data are not needed, then apply again."
	default:
		why = fmt.Sprintf("The virtual machine %s has that volume as a disk. Delete the machine first, with auto_delete = true for the disk, then apply again. "+
			"A medium in a CD drive can be ejected instead: remove image from its disk block, and apply.", strings.Join(owners, ", "))
	}
	return diag.NewErrorDiagnostic("Image in use", fmt.Sprintf(
		"The %s cannot be deleted, because it is used by %s. It was not deleted.\n\n%s", state.title(), u, why))
}
