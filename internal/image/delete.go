// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package image

import (
	"context"
	"fmt"
	"regexp"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/diagnose"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
	"github.com/harvester-community/terraform-provider-harvester/internal/objects"
	"github.com/harvester-community/terraform-provider-harvester/internal/wait"
)

// remove deletes the image and waits until it is gone.
func (r *lifecycle) remove(ctx context.Context, state *model) diag.Diagnostics {
	removal := objects.Removing(r.Session.Hub, r.images, state.title(), state.Namespace.ValueString(), state.Name.ValueString())
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
			return nil
		}
		user, inUse := userOf(err)
		if !inUse {
			return objects.NotDeleted(state.title(), err)
		}
		owner, leaving := r.inspectUser(ctx, user)
		if !leaving {
			return diag.Diagnostics{inUseDiagnostic(state, user, owner)}
		}
		if wait.Pause(ctx, 500*time.Millisecond); ctx.Err() != nil {
			return diag.Diagnostics{diagnose.API("delete", state.title(), "It was not deleted: it is still used by "+user.String()+".", ctx.Err())}
		}
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

// inspectUser looks at a volume that uses the image: which VM has it, and
// whether it is about to leave.
func (r *lifecycle) inspectUser(ctx context.Context, u user) (owner string, leaving bool) {
	if u.kind != "volume" {
		return "", false
	}
	volume, err := kube.For[corev1.PersistentVolumeClaim](r.Session.Client, api.PersistentVolumeClaims, "PersistentVolumeClaim").
		Get(ctx, u.namespace, u.name)
	switch {
	case apierrors.IsNotFound(err):
		return "", true
	case err != nil:
		return "", false
	}
	for _, reference := range volume.OwnerReferences {
		if reference.Kind == "VirtualMachine" {
			owner = reference.Name
		}
	}
	return owner, volume.DeletionTimestamp != nil
}

func inUseDiagnostic(state *model, u user, owner string) diag.Diagnostic {
	what := u.String()
	if owner != "" {
		what += fmt.Sprintf(" of the virtual machine %q", owner)
	}
	return diag.NewErrorDiagnostic("Image in use", fmt.Sprintf(
		"The %s cannot be deleted, because it is used by %s. It was not deleted.\n\n"+
			"Remove what uses it first, then apply again. A volume that stays behind when its virtual machine "+
			"is deleted (a disk without auto_delete = true) must be deleted too.",
		state.title(), what))
}
