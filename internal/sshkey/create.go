// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package sshkey

import (
	"context"
	"fmt"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-log/tflog"
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
// key made before it was killed.
func (r *Resource) create(ctx context.Context, plan *model) (*api.KeyPair, diag.Diagnostics) {
	wanted, diags := plan.toAPI(ctx)
	if diags.HasError() {
		return nil, diags
	}
	for try := 1; ; try++ {
		pair, err := r.keys.Create(ctx, wanted.Namespace, wanted)
		if err == nil {
			return pair, nil
		}
		again := try < creates && kube.Transient(err)
		switch {
		case again: // if it took effect all the same, the next try finds our own key
			pause(ctx, time.Second<<try)
		case apierrors.IsAlreadyExists(err):
			pair, again, diags = r.existing(ctx, plan, wanted)
		default:
			diags = diag.Diagnostics{diagnose.API("create", plan.title(), leftBy(err), err)}
		}
		if !again || diags.HasError() {
			return pair, diags
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

// existing deals with a key that has the name already: one on its way out is waited
// for, what an earlier apply made of the same key is taken over, any other is a mistake.
func (r *Resource) existing(ctx context.Context, plan *model, wanted *api.KeyPair) (pair *api.KeyPair, again bool, diags diag.Diagnostics) {
	pair, err := r.keys.Get(ctx, wanted.Namespace, wanted.Name)
	switch {
	case apierrors.IsNotFound(err):
		return nil, true, nil
	case err != nil:
		return nil, false, diag.Diagnostics{diagnose.API("create", plan.title(), leftNothing, err)}
	case pair.DeletionTimestamp != nil:
		return nil, true, r.awaitGone(ctx, "create", plan, pair, leftNothing)
	case pair.Annotations[api.AnnotationOrigin] == Type && same(pair.Spec.PublicKey, wanted.Spec.PublicKey):
		tflog.Info(ctx, "Taking over what an earlier apply of the same configuration made", map[string]any{"key": plan.id()})
		return r.takeOver(ctx, plan, wanted)
	}
	return nil, false, diag.Diagnostics{diag.NewAttributeErrorDiagnostic(path.Root("name"), "SSH key already exists", fmt.Sprintf(
		"There is an SSH key %q in the cluster already, made outside of this Terraform state. Nothing was created or changed.\n\n"+
			"To manage that key here, import it:\n  terraform import %s.<name> %s\nOtherwise choose another name, or refer to it with a data source.",
		plan.id(), Type, plan.id()))}
}

// takeOver gives the key what can have changed in the configuration since.
func (r *Resource) takeOver(ctx context.Context, plan *model, wanted *api.KeyPair) (pair *api.KeyPair, again bool, diags diag.Diagnostics) {
	patch := map[string]any{"metadata": map[string]any{"labels": wanted.Labels, "annotations": wanted.Annotations}}
	pair, err := r.keys.Patch(ctx, wanted.Namespace, wanted.Name, patch)
	switch {
	case apierrors.IsNotFound(err):
		return nil, true, nil
	case err != nil:
		return nil, false, diag.Diagnostics{diagnose.API("take over", plan.title(), "It was left as an earlier apply made it.", err)}
	}
	return pair, false, nil
}

// remove deletes the key and makes sure that it is gone.
func (r *Resource) remove(ctx context.Context, state *model) diag.Diagnostics {
	pair, err := r.keys.Get(ctx, state.Namespace.ValueString(), state.Name.ValueString())
	if err == nil {
		err = r.keys.Delete(ctx, pair.Namespace, pair.Name, pair.UID)
	}
	switch {
	case apierrors.IsNotFound(err):
		return nil
	case err != nil:
		return diag.Diagnostics{diagnose.API("delete", state.title(), "It was not deleted.", err)}
	}
	return r.awaitGone(ctx, "delete", state, pair, "Its deletion was requested and goes on; the next apply checks again.")
}

// awaitGone waits until a key that is being deleted does not exist any more; mostly
// that is at once.
func (r *Resource) awaitGone(ctx context.Context, doing string, m *model, pair *api.KeyPair, left string) diag.Diagnostics {
	if live, err := r.keys.Get(ctx, pair.Namespace, pair.Name); apierrors.IsNotFound(err) || err == nil && live.UID != pair.UID {
		return nil
	}
	target := wait.Target{Resource: api.KeyPairs, Namespace: pair.Namespace, Name: pair.Name, UID: pair.UID}
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
