// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package image

import (
	"context"
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/encryption"
	"github.com/harvester-community/terraform-provider-harvester/internal/imagestate"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
	"github.com/harvester-community/terraform-provider-harvester/internal/plancheck"
	"github.com/harvester-community/terraform-provider-harvester/internal/session"
	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
)

// objection refuses what encrypts an image, with the argument to blame.
type objection struct {
	*imagestate.Refusal
	at path.Path
}

// planEncryption judges the storage class of a new image, and the secret behind it, at plan. What does
// not exist may be made in the same run, so it is a warning; what exists and is wrong is an error.
func (r *lifecycle) planEncryption(ctx context.Context, plan *model, source *api.VirtualMachineImage) diag.Diagnostics {
	if !r.looks() || plan.Backend.ValueString() == api.BackendCDI {
		return nil
	}
	op := plan.operation()
	if op == "" {
		return r.planPlainClass(ctx, plan)
	}
	found := r.objection(ctx, plan, op, source, r.plannedClass)
	switch {
	case found == nil:
		return nil
	case found.Absent:
		return diag.Diagnostics{diag.NewAttributeWarningDiagnostic(found.at, found.Summary, fmt.Sprintf(
			"%s That is well if this run creates it. Otherwise the apply will stop before it makes the %s.", found.Reason, plan.title()))}
	}
	return diag.Diagnostics{plancheck.Planned(r.Session.PlanChecks, found.at, op, found.Refusal)}
}

// applyEncryption judges the same right before the first write.
func (r *lifecycle) applyEncryption(ctx context.Context, plan *model, source *api.VirtualMachineImage) diag.Diagnostics {
	op := plan.operation()
	if op == "" {
		return nil
	}
	if found := r.objection(ctx, plan, op, source, r.class); found != nil {
		return diag.Diagnostics{plancheck.Applied(found.at, op, found.Refusal)}
	}
	return nil
}

// classes finds a class by its name, an empty one being the cluster's default. It is nil, without an
// error, if there is nothing to judge yet.
type classes func(ctx context.Context, name string) (*storagev1.StorageClass, error)

// objection is the first thing that stands in the way of a clone; nil if nothing does, or if what there
// is cannot be read: Harvester judges as well. A source that is nil is not there yet.
func (r *lifecycle) objection(ctx context.Context, plan *model, op imagestate.Operation, source *api.VirtualMachineImage, find classes) *objection {
	if op == imagestate.Decrypt && source != nil { // Harvester takes the key that the source was encrypted with
		if found, _ := encryption.Behind(ctx, source.Spec.StorageClassParameters, r.secrets().Get); found != nil {
			return &objection{found, r.form.source()}
		}
	}
	at := path.Root("storage_class_name")
	if plan.StorageClassName.IsUnknown() {
		return nil
	}
	class, err := find(ctx, plan.StorageClassName.ValueString())
	switch {
	case apierrors.IsNotFound(err):
		return &objection{absent(plan.StorageClassName.ValueString()), at}
	case err != nil || class == nil:
		return nil
	}
	found := plainClass(class)
	if op == imagestate.Encrypt {
		if found = encryption.CheckClass(class); found == nil {
			found, _ = encryption.Behind(ctx, class.Parameters, r.secrets().Get)
		}
	}
	if found == nil {
		return nil
	}
	return &objection{found, at}
}

// planPlainClass judges the class of an image whose data comes as it is. With a class for encryption it is
// a warning: the data can be encrypted in the form that Longhorn writes.
func (r *lifecycle) planPlainClass(ctx context.Context, plan *model) diag.Diagnostics {
	if source := plan.SourceType.ValueString(); source == "" || source == api.SourceClone || plan.StorageClassName.ValueString() == "" {
		return nil // not known yet
	}
	class, err := r.plannedClass(ctx, plan.StorageClassName.ValueString())
	if err != nil || class == nil || !encryption.Enabled(class.Parameters) {
		return nil // the rehearsal says what else is wrong
	}
	found := plainClass(class)
	return diag.Diagnostics{diag.NewAttributeWarningDiagnostic(path.Root("storage_class_name"), found.Summary, found.Reason+"\n\n"+found.Remedy+
		" For an encrypted image, make this one first, and a harvester_encrypted_image from it.")}
}

// plainClass judges the class of an image that holds its data unencrypted.
func plainClass(class *storagev1.StorageClass) *imagestate.Refusal {
	if !encryption.Enabled(class.Parameters) {
		return encryption.Bound(class)
	}
	return &imagestate.Refusal{
		Summary: "Storage class is for encryption",
		Reason: fmt.Sprintf("The storage class %q is for encryption: Longhorn would try to decrypt the volumes made from the image, "+
			"whose data is not encrypted, and fail.", class.Name),
		Remedy: "Set storage_class_name to a class without encryption.",
	}
}

func absent(class string) *imagestate.Refusal {
	return &imagestate.Refusal{
		Summary: "Storage class not found",
		Reason:  fmt.Sprintf("The storage class %q does not exist.", class),
		Remedy:  "Check the name, or create the class first.",
		Absent:  true,
	}
}

// plannedClass finds a class during a plan; nil if this run makes it.
func (r *lifecycle) plannedClass(ctx context.Context, name string) (*storagev1.StorageClass, error) {
	switch {
	case name == "":
		return r.defaultClass(ctx)
	case r.Session.Classes.Has(session.ClassName(name)):
		return nil, nil
	}
	return r.storageClasses().Recent(ctx, "", name)
}

// class finds a class as it is now.
func (r *lifecycle) class(ctx context.Context, name string) (*storagev1.StorageClass, error) {
	if name == "" {
		return r.defaultClass(ctx)
	}
	return r.storageClasses().Get(ctx, "", name)
}

// defaultClass is the class that Harvester takes where none is named.
func (r *lifecycle) defaultClass(ctx context.Context) (*storagev1.StorageClass, error) {
	all, err := r.storageClasses().List(ctx, "", "")
	if err != nil {
		return nil, err
	}
	for i := range all {
		if all[i].Annotations[api.AnnotationDefaultClass] == "true" {
			return &all[i], nil
		}
	}
	return nil, nil // Harvester says so itself
}

// plannedSource is the source of a clone as the gate has accepted it; nil if this run makes it, or
// if it is not known or cannot be read.
func (r *lifecycle) plannedSource(ctx context.Context, plan *model) *api.VirtualMachineImage {
	use, known := plan.sourceUse()
	if !known || r.Session.Images.Has(session.ImageID(use.Image)) {
		return nil
	}
	namespace, name, err := tfbase.ParseID(use.Image)
	if err != nil {
		return nil
	}
	source, err := r.images.Recent(ctx, namespace, name)
	if err != nil {
		return nil
	}
	return source
}

func (r *lifecycle) storageClasses() kube.Resource[storagev1.StorageClass] {
	return kube.For[storagev1.StorageClass](r.Session.Client, api.StorageClasses, "StorageClass")
}

func (r *lifecycle) secrets() kube.Resource[corev1.Secret] {
	return kube.For[corev1.Secret](r.Session.Client, api.Secrets, "Secret")
}
