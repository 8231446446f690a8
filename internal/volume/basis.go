// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package volume

import (
	"context"
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/diagnose"
	"github.com/harvester-community/terraform-provider-harvester/internal/imagestate"
	"github.com/harvester-community/terraform-provider-harvester/internal/plancheck"
	"github.com/harvester-community/terraform-provider-harvester/internal/session"
	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
)

// basis is what a new volume is made from.
type basis struct {
	image *api.VirtualMachineImage // nil without one, and while it is not known
	class *storagev1.StorageClass  // nil if it cannot be read, and while it is not known
}

// judging is one reading of what would refuse to make a volume: with the plan, by recent look-ups, and again by fresh ones right
// before the first write.
type judging struct {
	clients
	plan *model
	// applying says that the first write comes next. Before that, what is missing may be made by this run.
	applying bool
}

// basis is the list. It returns what the volume is made from, as far as that is known.
func (j *judging) basis(ctx context.Context) (b basis, diags diag.Diagnostics) {
	if b.image, diags = j.image(ctx); diags.HasError() {
		return b, diags
	}
	known := j.plan.image() == "" || b.image != nil
	if j.plan.Image.IsUnknown() || !known || !j.applying && j.plan.StorageClassName.IsUnknown() && b.image == nil {
		return b, diags // the image decides on the class, or the configuration itself does
	}
	name := j.plan.StorageClassName.ValueString()
	if b.image != nil {
		diags.Append(checkImageClass(j.plan, b.image)...)
		name = b.image.Status.StorageClassName
	}
	for _, check := range []func() diag.Diagnostics{
		func() (found diag.Diagnostics) { b.class, found = j.class(ctx, name); return found },
		func() diag.Diagnostics { return checkModes(j.plan, b.class) },
		func() diag.Diagnostics { return j.checkCopy(ctx, b.image) },
	} {
		if diags.HasError() {
			break
		}
		diags.Append(check()...)
	}
	return b, diags
}

// image is the image, if the gate lets it pass. One that this run makes ready is not known yet.
func (j *judging) image(ctx context.Context) (*api.VirtualMachineImage, diag.Diagnostics) {
	switch {
	case j.plan.image() == "" || j.plan.Namespace.IsUnknown():
		return nil, nil
	case j.applying:
		return plancheck.Apply(ctx, j.session, j.plan.use())
	}
	diags := plancheck.Plan(ctx, j.session, j.plan.use())
	namespace, name, err := tfbase.ParseID(j.plan.image())
	if diags.HasError() || err != nil || j.session.Images.Has(session.ImageID(j.plan.image())) {
		return nil, diags
	}
	image, err := j.images.Recent(ctx, namespace, name)
	if err != nil || !imagestate.Of(image).Ready() {
		return nil, diags // the gate has judged it
	}
	return image, diags
}

// class finds the storage class, the default one if none is named. What may not be read is nil: a right that is missing is no proof.
func (j *judging) class(ctx context.Context, name string) (*storagev1.StorageClass, diag.Diagnostics) {
	if name == "" {
		return j.defaultClass(ctx)
	}
	read := j.classes.Recent
	if j.applying {
		read = j.classes.Get
	}
	class, err := read(ctx, "", name)
	switch {
	case apierrors.IsNotFound(err) && j.applying:
		return nil, diag.Diagnostics{diag.NewAttributeErrorDiagnostic(classPath, "Storage class not found", fmt.Sprintf(
			"There is no storage class %q, so the %s would never be made. %s\n\n"+
				"Choose another, or refer to the resource that creates it, so that Terraform makes it first.", name, j.plan.title(), tfbase.NothingDone))}
	case apierrors.IsNotFound(err):
		return nil, j.planMissingClass(ctx, j.plan, diag.SeverityWarning)
	}
	return class, j.unread(err)
}

// unread is what it means that a class cannot be read.
func (j *judging) unread(err error) diag.Diagnostics {
	switch {
	case err == nil, apierrors.IsForbidden(err):
		return nil
	case j.applying:
		return diag.Diagnostics{diagnose.API("create", j.plan.title(), tfbase.NothingDone, err)}
	}
	return j.session.Unchecked(err)
}

// defaultClass finds the default storage class; of several the newest counts, as in Kubernetes.
func (j *judging) defaultClass(ctx context.Context) (*storagev1.StorageClass, diag.Diagnostics) {
	list := j.classes.RecentAll
	if j.applying {
		list = func(ctx context.Context, namespace string) ([]storagev1.StorageClass, error) {
			return j.classes.List(ctx, namespace, "")
		}
	}
	classes, err := list(ctx, "")
	if err != nil {
		return nil, j.unread(err)
	}
	var found *storagev1.StorageClass
	for i := range classes {
		candidate := &classes[i]
		if candidate.Annotations[api.AnnotationDefaultClass] == "true" &&
			(found == nil || found.CreationTimestamp.Before(&candidate.CreationTimestamp)) {
			found = candidate
		}
	}
	if found != nil {
		return found, nil
	}
	const remedy = "Set storage_class_name, or make a storage class the default."
	if !j.applying {
		return nil, diag.Diagnostics{diag.NewAttributeWarningDiagnostic(classPath, "No default storage class", fmt.Sprintf(
			"The %s names no storage class, and the cluster has no default one. That is well if this run makes one the default.\n\n%s", j.plan.title(), remedy))}
	}
	return nil, diag.Diagnostics{diag.NewAttributeErrorDiagnostic(classPath, "No default storage class", fmt.Sprintf(
		"The %s names no storage class, and the cluster has no default one. %s\n\n%s", j.plan.title(), tfbase.NothingDone, remedy))}
}

// checkCopy: CDI does not copy into a claim that asks for less than the image's own,
// which is larger than the image on a file system. An unreadable one is left to CDI.
func (j *judging) checkCopy(ctx context.Context, image *api.VirtualMachineImage) diag.Diagnostics {
	if image == nil || image.Spec.Backend != api.BackendCDI {
		return nil
	}
	read := j.claims.Recent
	if j.applying {
		read = j.claims.Get
	}
	claim, err := read(ctx, image.Namespace, image.Name)
	asked := sizeOf(j.plan.Size)
	if err != nil || asked == nil { // CDI judges as well
		return nil
	}
	needed := claim.Spec.Resources.Requests.Storage()
	if asked.Cmp(*needed) >= 0 {
		return nil
	}
	return diag.Diagnostics{diag.NewAttributeErrorDiagnostic(path.Root("size"), "Volume smaller than its image's", fmt.Sprintf(
		"The %s has a size of %s, but the image %q itself is stored in a volume of %s, and only a volume of at least that size can be copied from it. %s\n\n"+
			"Set the size to at least %s.", j.plan.title(), j.plan.Size.ValueString(), j.plan.image(), needed, tfbase.NothingDone, needed))}
}
