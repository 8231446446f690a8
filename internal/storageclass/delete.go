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
	"github.com/harvester-community/terraform-provider-harvester/internal/session"
	"github.com/harvester-community/terraform-provider-harvester/internal/wait"
)

// requestDeletion asks for the deletion. An image that was deleted a moment ago stands in
// the way until Harvester has noticed.
func requestDeletion(ctx context.Context, s *session.Session, identity objects.Identity, class *storagev1.StorageClass) diag.Diagnostics {
	for {
		err := classesOf(s).Delete(ctx, "", class.Name, class.UID)
		switch {
		case err == nil, apierrors.IsNotFound(err):
			return nil
		case !usedByImages(err):
			return objects.NotDeleted(identity.Title, err)
		}
		images, listed := users(ctx, s, class.Name)
		if listed != nil || ctx.Err() != nil || slices.ContainsFunc(images, func(image imagestate.Image) bool { return image.State != imagestate.Terminating }) {
			return diag.Diagnostics{inUse(ctx, s, identity, err)}
		}
		wait.Pause(ctx, 500*time.Millisecond)
	}
}

// inUsePattern matches the refusal of Harvester's webhook (pkg/webhook/resources/storageclass/validator.go),
// which names the images without their namespaces.
var inUsePattern = regexp.MustCompile(`is used by virtual machine images: \[([^\]]*)\]`)

func usedByImages(err error) bool { return inUsePattern.MatchString(err.Error()) }

// users are the images that were made with the class.
func users(ctx context.Context, s *session.Session, class string) (users []imagestate.Image, err error) {
	images, err := kube.For[api.VirtualMachineImage](s.Client, api.Images, api.KindImage).List(ctx, "", "")
	for i := range images {
		if images[i].Annotations[api.AnnotationStorageClassName] == class {
			users = append(users, imagestate.Of(&images[i]))
		}
	}
	return users, err
}

// inUse names the images that use the class: with their namespaces where they can be
// listed, else as Harvester names them.
func inUse(ctx context.Context, s *session.Session, identity objects.Identity, refused error) diag.Diagnostic {
	var titles []string
	images, err := users(ctx, s, identity.Name)
	for _, image := range images {
		titles = append(titles, image.Title())
	}
	if err != nil || len(titles) == 0 {
		titles = strings.Fields(inUsePattern.FindStringSubmatch(refused.Error())[1])
	}
	return diag.NewErrorDiagnostic("Storage class in use", fmt.Sprintf(
		"The %s cannot be deleted, because images were made with it:\n  - %s\nIt was not deleted.\n\n"+
			"Delete the images first, then apply again. An image keeps its storage class for good.", identity.Title, strings.Join(titles, "\n  - ")))
}
