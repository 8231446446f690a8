// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package storageclass

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-log/tflog"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/diagnose"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
	"github.com/harvester-community/terraform-provider-harvester/internal/wait"
)

// Limits of repeating a request.
const (
	tries = 5
	// patience is how long the default class before may take to give it up, and Harvester to notice.
	patience = 30 * time.Second
	// lag is how long Harvester may take to notice a secret.
	lag = 10 * time.Second
)

// create makes the class, or takes over the one that an earlier apply with the same
// intent made before it was killed.
func (r *Resource) create(ctx context.Context, plan *model) (class *storagev1.StorageClass, diags diag.Diagnostics) {
	wanted, diags := plan.class(ctx)
	if diags.HasError() {
		return nil, diags
	}
	wanted.Annotations[api.AnnotationOrigin] = origin(wanted)
	err := r.repeat(ctx, func() (err error) {
		class, err = r.classes.Create(ctx, "", wanted)
		if apierrors.IsAlreadyExists(err) {
			class, err = r.existing(ctx, wanted, err)
		}
		return err
	})
	switch {
	case err == nil:
		return class, diags
	case apierrors.IsAlreadyExists(err):
		return nil, append(diags, exists(plan))
	}
	return nil, append(diags, r.failed(plan, "create", err))
}

// change brings the class from the state to the plan, in one request.
func (r *Resource) change(ctx context.Context, plan, state *model) (class *storagev1.StorageClass, diags diag.Diagnostics) {
	patch, diags := plan.patch(ctx, state)
	if diags.HasError() {
		return nil, diags
	}
	err := r.repeat(ctx, func() (err error) {
		if len(patch) == 0 { // only what is of this machine changes
			class, err = r.classes.Get(ctx, "", plan.Name.ValueString())
			return err
		}
		class, err = r.classes.Patch(ctx, "", plan.Name.ValueString(), patch)
		return err
	})
	if err != nil {
		return nil, append(diags, r.failed(plan, "change", err))
	}
	return class, diags
}

// repeat sends a request again while there is reason to hope: trouble on the way, a default class
// that is about to give it up, a secret that Harvester has not noticed yet.
func (r *Resource) repeat(ctx context.Context, request func() error) error {
	began := time.Now()
	for try := 1; ; try++ {
		err := request()
		holder := defaultHolder(err)
		switch {
		case err == nil:
			return nil
		case kube.Transient(err) && try < tries:
			pause(ctx, time.Second<<try)
		case holder != "" && time.Since(began) < patience:
			r.awaitRelease(ctx, holder, patience-time.Since(began))
		case secretUnnoticed(err) && time.Since(began) < lag:
			pause(ctx, 300*time.Millisecond)
		default:
			return err
		}
		if ctx.Err() != nil {
			return err
		}
	}
}

// heldBy and unnoticed match refusals of Harvester's webhook (pkg/webhook/resources/storageclass/validator.go).
var (
	heldBy    = regexp.MustCompile(`default storage class (\S+) already exists`)
	unnoticed = regexp.MustCompile(`secret \S+/\S+ not found`)
)

// defaultHolder is the class that is the default and keeps another from being it; "" if
// the error is about something else.
func defaultHolder(err error) string {
	if err == nil {
		return ""
	}
	if match := heldBy.FindStringSubmatch(err.Error()); match != nil {
		return match[1]
	}
	return ""
}

// secretUnnoticed: the secret was there a moment ago, when it was checked.
func secretUnnoticed(err error) bool { return err != nil && unnoticed.MatchString(err.Error()) }

// awaitRelease waits until a class is not the default any more, and a moment for Harvester to notice.
func (r *Resource) awaitRelease(ctx context.Context, name string, limit time.Duration) {
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	_, _ = r.Session.Hub.Until(limited, wait.Target{Resource: api.StorageClasses, Name: name}, func(object *unstructured.Unstructured) (wait.Progress, error) {
		return wait.Progress{Done: object == nil || object.GetAnnotations()[api.AnnotationDefaultClass] != "true"}, nil
	}, wait.Options{})
	pause(ctx, 300*time.Millisecond)
}

// failed explains a request that did not succeed.
func (r *Resource) failed(plan *model, doing string, err error) diag.Diagnostic {
	left := nothingDone
	if kube.Transient(err) {
		left = "Whether it took effect is not known: if so, the next apply goes on with it."
	}
	if holder := defaultHolder(err); holder != "" {
		return diag.NewAttributeErrorDiagnostic(path.Root("is_default"), "Another storage class is the default", fmt.Sprintf(
			"Harvester allows one default storage class, and %q is it. %s\n\n%s", holder, nothingDone, giveUp(holder)))
	}
	return diagnose.API(doing, plan.title(), left, err)
}

func exists(plan *model) diag.Diagnostic {
	name := plan.Name.ValueString()
	return diag.NewAttributeErrorDiagnostic(path.Root("name"), "Storage class already exists", fmt.Sprintf(
		"There is a storage class %q in the cluster already, made outside of this Terraform state. Nothing was created or changed.\n\n"+
			"To manage that class here, import it:\n  terraform import harvester_storageclass.<name> %s\nOtherwise choose another name.", name, name))
}

// existing deals with a class that has the name already: our own is taken over, one on its way out
// is waited for, any other is a mistake.
func (r *Resource) existing(ctx context.Context, wanted *storagev1.StorageClass, taken error) (*storagev1.StorageClass, error) {
	class, err := r.classes.Get(ctx, "", wanted.Name)
	if err != nil {
		return nil, err
	}
	switch {
	case class.DeletionTimestamp != nil:
		target := wait.Target{Resource: api.StorageClasses, Name: class.Name, UID: class.UID}
		if err := r.Session.Hub.UntilGone(ctx, target, stillThere); err != nil {
			return nil, err
		}
		return r.classes.Create(ctx, "", wanted)
	case class.Annotations[api.AnnotationOrigin] != wanted.Annotations[api.AnnotationOrigin]:
		return nil, taken
	}
	tflog.Info(ctx, "Taking over what an earlier apply of the same configuration made", map[string]any{"storage class": wanted.Name})
	annotations := map[string]any{api.AnnotationDescription: nil, api.AnnotationDefaultClass: "false"}
	for key, value := range wanted.Annotations {
		annotations[key] = value
	}
	return r.classes.Patch(ctx, "", wanted.Name, map[string]any{
		"metadata": map[string]any{"labels": wanted.Labels, "annotations": annotations}, "allowVolumeExpansion": wanted.AllowVolumeExpansion,
	})
}

func stillThere(object *unstructured.Unstructured) string {
	return "being deleted, held by " + strings.Join(object.GetFinalizers(), ", ")
}

// origin is the fingerprint of what cannot change in a class. Two classes of one name with
// the same one are the same class.
func origin(class *storagev1.StorageClass) string {
	text, _ := json.Marshal([]any{class.Provisioner, class.Parameters, class.ReclaimPolicy, class.VolumeBindingMode, class.AllowedTopologies})
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
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
