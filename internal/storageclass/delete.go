// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package storageclass

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/imagestate"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
	"github.com/harvester-community/terraform-provider-harvester/internal/objects"
	"github.com/harvester-community/terraform-provider-harvester/internal/wait"
)

// remove deletes the class and waits until it is gone.
func (r *Resource) remove(ctx context.Context, state *model) diag.Diagnostics {
	removal := objects.Removing(r.Session.Hub, r.classes, state.title(), "", state.Name.ValueString())
	removal.Request = func(ctx context.Context, class *storagev1.StorageClass) diag.Diagnostics {
		return r.requestDeletion(ctx, state, class)
	}
	return removal.Run(ctx)
}

// requestDeletion asks for the deletion. An image that was deleted a moment ago stands in
// the way until Harvester has noticed.
func (r *Resource) requestDeletion(ctx context.Context, state *model, class *storagev1.StorageClass) diag.Diagnostics {
	for {
		err := r.classes.Delete(ctx, "", class.Name, class.UID)
		switch {
		case err == nil, apierrors.IsNotFound(err):
			return nil
		case !usedByImages(err):
			return objects.NotDeleted(state.title(), err)
		}
		images, listed := r.users(ctx, class.Name)
		if listed != nil || ctx.Err() != nil || slices.ContainsFunc(images, func(image imagestate.Image) bool { return image.State != imagestate.Terminating }) {
			return diag.Diagnostics{r.inUse(ctx, state, err)}
		}
		wait.Pause(ctx, 500*time.Millisecond)
	}
}

// inUsePattern matches the refusal of Harvester's webhook (pkg/webhook/resources/storageclass/validator.go),
// which names the images without their namespaces.
var inUsePattern = regexp.MustCompile(`is used by virtual machine images: \[([^\]]*)\]`)

func usedByImages(err error) bool { return inUsePattern.MatchString(err.Error()) }

// users are the images that were made with the class.
func (r *Resource) users(ctx context.Context, class string) (users []imagestate.Image, err error) {
	images, err := kube.For[api.VirtualMachineImage](r.Session.Client, api.Images, api.KindImage).List(ctx, "", "")
	for i := range images {
		if images[i].Annotations[api.AnnotationStorageClassName] == class {
			users = append(users, imagestate.Of(&images[i]))
		}
	}
	return users, err
}

// inUse names the images that use the class: with their namespaces where they can be
// listed, else as Harvester names them.
func (r *Resource) inUse(ctx context.Context, state *model, refused error) diag.Diagnostic {
	var titles []string
	images, err := r.users(ctx, state.Name.ValueString())
	for _, image := range images {
		titles = append(titles, image.Title())
	}
	if err != nil || len(titles) == 0 {
		titles = strings.Fields(inUsePattern.FindStringSubmatch(refused.Error())[1])
	}
	return diag.NewErrorDiagnostic("Storage class in use", fmt.Sprintf(
		"The %s cannot be deleted, because images were made with it:\n  - %s\nIt was not deleted.\n\n"+
			"Delete the images first, then apply again. An image keeps its storage class for good.", state.title(), strings.Join(titles, "\n  - ")))
}
