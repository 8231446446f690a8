// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package volume

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-log/tflog"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/diagnose"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
	"github.com/harvester-community/terraform-provider-harvester/internal/wait"
)

// creates is how often the object is sent at most.
const creates = 5

// create makes what was ordered, or takes over what an earlier apply with the same intent
// made before it was killed. The order then has the claim as it is.
func (r *Resource) create(ctx context.Context, plan *model, wanted *order) diag.Diagnostics {
	for try := 1; ; try++ {
		err := r.post(ctx, wanted)
		if err == nil {
			return nil
		}
		again := try < creates && kube.Transient(err)
		var diags diag.Diagnostics
		switch {
		case again: // if it took effect all the same, the next try finds our own volume
			pause(ctx, time.Second<<try)
		case apierrors.IsAlreadyExists(err):
			again, diags = r.existing(ctx, plan, wanted)
		default:
			diags = diag.Diagnostics{diagnose.API("create", plan.title(), leftBy(err), err)}
		}
		if !again || diags.HasError() {
			return diags
		}
	}
}

// post sends the order: to CDI, unless somebody else's volume has the name, or to Kubernetes.
func (r *Resource) post(ctx context.Context, wanted *order) error {
	claim := wanted.claim
	if wanted.data == nil {
		created, err := r.claims.Create(ctx, claim.Namespace, claim)
		if err == nil {
			wanted.claim = created
		}
		return err
	}
	if _, err := r.claims.Get(ctx, claim.Namespace, claim.Name); !apierrors.IsNotFound(err) {
		if err == nil {
			err = apierrors.NewAlreadyExists(api.PersistentVolumeClaims.GroupResource(), claim.Name)
		}
		return err
	}
	created, err := r.dataVolumes.Create(ctx, claim.Namespace, wanted.data)
	if err == nil {
		wanted.data = created
	}
	return err
}

// leftBy says what state a failed create leaves things in.
func leftBy(err error) string {
	if kube.Transient(err) {
		return "Whether it was created is not known: if so, the next apply goes on with it."
	}
	return nothingDone
}

// origin is the fingerprint of what a volume is made from. Two volumes of one name with
// the same one are the same volume.
func origin(claim *corev1.PersistentVolumeClaim) string {
	text, _ := json.Marshal([]any{claim.Spec, claim.Annotations[api.AnnotationImageID]})
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// existing deals with a volume that has the name already: one on its way out is waited
// for, our own unfinished one is taken over, any other is a mistake.
func (r *Resource) existing(ctx context.Context, plan *model, wanted *order) (again bool, diags diag.Diagnostics) {
	object, target, err := r.holder(ctx, wanted)
	switch {
	case apierrors.IsNotFound(err):
		return true, nil
	case err != nil:
		return false, diag.Diagnostics{diagnose.API("create", plan.title(), nothingDone, err)}
	case object.GetDeletionTimestamp() != nil:
		return true, r.awaitGone(ctx, plan, target)
	case object.GetAnnotations()[api.AnnotationOrigin] == wanted.claim.Annotations[api.AnnotationOrigin]:
		tflog.Info(ctx, "Taking over what an earlier apply of the same configuration began", map[string]any{"volume": plan.id()})
		return r.takeOver(ctx, plan, wanted, target.Resource)
	}
	return false, diag.Diagnostics{diag.NewAttributeErrorDiagnostic(path.Root("name"), "Volume already exists", fmt.Sprintf(
		"There is a volume %q in the cluster already, made outside of this Terraform state. Nothing was created or changed.\n\n"+
			"To manage that volume here, import it:\n  terraform import harvester_volume.<name> %s\nOtherwise choose another name.", plan.id(), plan.id()))}
}

// takeOver gives the volume what can have changed in the configuration since.
func (r *Resource) takeOver(ctx context.Context, plan *model, wanted *order, of schema.GroupVersionResource) (again bool, diags diag.Diagnostics) {
	meta := wanted.claim.ObjectMeta
	annotations := map[string]any{api.AnnotationDescription: nil}
	for key, value := range meta.Annotations {
		annotations[key] = value
	}
	patch := map[string]any{"metadata": map[string]any{"labels": meta.Labels, "annotations": annotations}}
	taken := *wanted
	var err error
	if of == api.DataVolumes {
		taken.data, err = r.dataVolumes.Patch(ctx, meta.Namespace, meta.Name, patch)
	} else {
		taken.data = nil // it may be gone by now, and the claim tells as much
		taken.claim, err = r.claims.Patch(ctx, meta.Namespace, meta.Name, patch)
	}
	switch {
	case apierrors.IsNotFound(err):
		return true, nil
	case err != nil:
		return false, diag.Diagnostics{diagnose.API("take over", plan.title(), "It was left as an earlier apply made it.", err)}
	}
	*wanted = taken
	return false, nil
}

// holder finds what has the name: a claim, or a data volume without one.
func (r *Resource) holder(ctx context.Context, wanted *order) (metav1.Object, wait.Target, error) {
	target := wait.Target{Resource: api.PersistentVolumeClaims, Namespace: wanted.claim.Namespace, Name: wanted.claim.Name}
	claim, err := r.claims.Get(ctx, target.Namespace, target.Name)
	if err == nil {
		target.UID = claim.UID
		return claim, target, nil
	}
	if !apierrors.IsNotFound(err) || wanted.data == nil {
		return nil, target, err
	}
	target.Resource = api.DataVolumes
	data, err := r.dataVolumes.Get(ctx, target.Namespace, target.Name)
	if err != nil {
		return nil, target, err
	}
	target.UID = data.UID
	return data, target, nil
}

// awaitGone waits until a volume that is being deleted does not exist any more.
func (r *Resource) awaitGone(ctx context.Context, plan *model, target wait.Target) diag.Diagnostics {
	err := r.Session.Hub.UntilGone(ctx, target, func(object *unstructured.Unstructured) string {
		return "a volume of that name is being deleted" + heldBy(object.GetFinalizers())
	})
	if err != nil {
		return diag.Diagnostics{diagnose.API("create", plan.title(), nothingDone, err)}
	}
	return nil
}

// pause waits a moment, or less if the context ends.
func pause(ctx context.Context, moment time.Duration) {
	timer := time.NewTimer(moment)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
