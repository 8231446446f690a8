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
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/diagnose"
	"github.com/harvester-community/terraform-provider-harvester/internal/imagestate"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
	"github.com/harvester-community/terraform-provider-harvester/internal/wait"
)

// remove deletes the class and waits until it is gone.
func (r *Resource) remove(ctx context.Context, state *model) diag.Diagnostics {
	class, err := r.classes.Get(ctx, "", state.Name.ValueString())
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err == nil {
		err = r.requestDeletion(ctx, state, func() error { return r.classes.Delete(ctx, "", class.Name, class.UID) })
	}
	switch {
	case err != nil && usedByImages(err):
		return diag.Diagnostics{r.inUse(ctx, state, err)}
	case err != nil:
		return diag.Diagnostics{diagnose.API("delete", state.title(), "It was not deleted.", err)}
	}
	target := wait.Target{Resource: api.StorageClasses, Name: class.Name, UID: class.UID}
	if err := r.Session.Hub.UntilGone(ctx, target, stillThere); err != nil {
		return diag.Diagnostics{diagnose.API("delete", state.title(), "Its deletion was requested and goes on; the next apply checks again.", err)}
	}
	return nil
}

// requestDeletion asks for the deletion. An image that was deleted a moment ago stands in
// the way until Harvester has noticed.
func (r *Resource) requestDeletion(ctx context.Context, state *model, request func() error) error {
	for {
		err := request()
		switch {
		case err == nil, apierrors.IsNotFound(err):
			return nil
		case !usedByImages(err) || ctx.Err() != nil:
			return err
		}
		images, listed := r.users(ctx, state.Name.ValueString())
		if listed != nil || slices.ContainsFunc(images, func(image imagestate.Image) bool { return image.State != imagestate.Terminating }) {
			return err
		}
		pause(ctx, 500*time.Millisecond)
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
