// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package cloudinitsecret

import (
	"context"
	"fmt"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-log/tflog"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/diagnose"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
	"github.com/harvester-community/terraform-provider-harvester/internal/wait"
)

const (
	leftNothing = "Nothing was created."
	// creates is how often the object is sent at most.
	creates = 5
)

// create makes the object, or takes over the one that an earlier apply of the same
// data made before it was killed.
func (r *Resource) create(ctx context.Context, plan, config *model) (*corev1.Secret, diag.Diagnostics) {
	wanted, diags := plan.toAPI(ctx, config)
	if diags.HasError() {
		return nil, diags
	}
	for try := 1; ; try++ {
		secret, err := r.secrets.Create(ctx, wanted.Namespace, wanted)
		if err == nil {
			return secret, nil
		}
		again := try < creates && kube.Transient(err)
		switch {
		case again: // if it took effect all the same, the next try finds our own secret
			pause(ctx, time.Second<<try)
		case apierrors.IsAlreadyExists(err):
			secret, again, diags = r.existing(ctx, plan, wanted)
		default:
			diags = diag.Diagnostics{diagnose.API("create", plan.title(), leftBy(err), err)}
		}
		if !again || diags.HasError() {
			return secret, diags
		}
	}
}

// leftBy says what state a failed create leaves things in.
func leftBy(err error) string {
	if kube.Transient(err) {
		return "Whether it was created is not known: if so, the next apply goes on with it."
	}
	return leftNothing
}

// existing deals with a secret that has the name already: one on its way out is waited
// for, what an earlier apply made of the same data is taken over, any other is a mistake.
func (r *Resource) existing(ctx context.Context, plan *model, wanted *corev1.Secret) (secret *corev1.Secret, again bool, diags diag.Diagnostics) {
	secret, err := r.secrets.Get(ctx, wanted.Namespace, wanted.Name)
	switch {
	case apierrors.IsNotFound(err):
		return nil, true, nil
	case err != nil:
		return nil, false, diag.Diagnostics{diagnose.API("create", plan.title(), leftNothing, err)}
	case secret.DeletionTimestamp != nil:
		return nil, true, r.awaitGone(ctx, "create", plan, secret, leftNothing)
	case secret.Annotations[api.AnnotationOrigin] == Type && holdsSame(secret, wanted):
		tflog.Info(ctx, "Taking over what an earlier apply of the same configuration made", map[string]any{"secret": plan.id()})
		return r.takeOver(ctx, plan, wanted)
	}
	return nil, false, diag.Diagnostics{diag.NewAttributeErrorDiagnostic(path.Root("name"), "Secret already exists", fmt.Sprintf(
		"There is a Secret %q in the cluster already, made outside of this Terraform state. Nothing was created or changed.\n\n"+
			"To manage that secret here, import it:\n  terraform import %s.<name> %s\nOtherwise choose another name, or refer to that one by name.",
		plan.id(), Type, plan.id()))}
}

// takeOver gives the secret what can have changed in the configuration since.
func (r *Resource) takeOver(ctx context.Context, plan *model, wanted *corev1.Secret) (secret *corev1.Secret, again bool, diags diag.Diagnostics) {
	patch := map[string]any{"metadata": map[string]any{"labels": wanted.Labels, "annotations": wanted.Annotations}}
	secret, err := r.secrets.Patch(ctx, wanted.Namespace, wanted.Name, patch)
	switch {
	case apierrors.IsNotFound(err):
		return nil, true, nil
	case err != nil:
		return nil, false, diag.Diagnostics{diagnose.API("take over", plan.title(), "It was left as an earlier apply made it.", err)}
	}
	return secret, false, nil
}

// remove deletes the secret and makes sure that it is gone.
func (r *Resource) remove(ctx context.Context, state *model) diag.Diagnostics {
	secret, err := r.secrets.Get(ctx, state.Namespace.ValueString(), state.Name.ValueString())
	if err == nil {
		err = r.secrets.Delete(ctx, secret.Namespace, secret.Name, secret.UID)
	}
	switch {
	case apierrors.IsNotFound(err):
		return nil
	case err != nil:
		return diag.Diagnostics{diagnose.API("delete", state.title(), "It was not deleted.", err)}
	}
	return r.awaitGone(ctx, "delete", state, secret, "Its deletion was requested and goes on; the next apply checks again.")
}

// awaitGone waits until a secret that is being deleted does not exist any more; mostly
// that is at once.
func (r *Resource) awaitGone(ctx context.Context, doing string, m *model, secret *corev1.Secret, left string) diag.Diagnostics {
	if live, err := r.secrets.Get(ctx, secret.Namespace, secret.Name); apierrors.IsNotFound(err) || err == nil && live.UID != secret.UID {
		return nil
	}
	target := wait.Target{Resource: api.Secrets, Namespace: secret.Namespace, Name: secret.Name, UID: secret.UID}
	err := r.Session.Hub.UntilGone(ctx, target, func(*unstructured.Unstructured) string { return "being deleted" })
	if err != nil {
		return diag.Diagnostics{diagnose.API(doing, m.title(), left, err)}
	}
	return nil
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
