// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package volume

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/diagnose"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
	"github.com/harvester-community/terraform-provider-harvester/internal/objects"
	"github.com/harvester-community/terraform-provider-harvester/internal/session"
	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
	"github.com/harvester-community/terraform-provider-harvester/internal/wait"
)

// change sends what differs. Growth has refusals of its own.
func change(ctx context.Context, s *session.Session, plan, state *model, identity objects.Identity, patch map[string]any) (*volume, diag.Diagnostics) {
	claim, err := objects.Change[corev1.PersistentVolumeClaim](ctx, clientsOf(s).claims, identity, patch)
	switch {
	case err != nil && plan.grows(state) && (kube.Refused(err) || apierrors.IsForbidden(err)):
		return nil, diag.Diagnostics{diag.WithPath(path.Root("size"), growthRefused(plan, tfbase.NothingDone, err))}
	case err != nil:
		return nil, objects.ChangeFailed(identity.Title, err)
	}
	return &volume{PersistentVolumeClaim: claim}, nil
}

// rehearseGrowth asks for the growth without storing it.
func (c clients) rehearseGrowth(ctx context.Context, plan *model) error {
	body, err := json.Marshal(map[string]any{"spec": map[string]any{"resources": map[string]any{
		"requests": map[string]any{"storage": sizeOf(plan.Size).String()},
	}}})
	if err != nil {
		return fmt.Errorf("encode the patch: %w", err)
	}
	_, err = c.session.Client.Dynamic().Resource(api.PersistentVolumeClaims).Namespace(plan.Namespace.ValueString()).
		Patch(ctx, plan.Name.ValueString(), types.MergePatchType, body, metav1.PatchOptions{
			FieldManager: kube.FieldManager, DryRun: []string{metav1.DryRunAll},
		})
	return err
}

// growthRefused explains why a volume cannot grow as things are.
func growthRefused(plan *model, left string, err error) diag.Diagnostic {
	remedy := ""
	switch text := err.Error(); {
	case strings.Contains(text, "PVC_EXPAND"): // Harvester's webhook, for volumes of running machines
		remedy = "Stop the virtual machine that has the volume, then apply again: its storage grows only while it is not in use."
	case strings.Contains(text, "bound claims"), strings.Contains(text, "is immutable after creation"):
		remedy = "A volume grows only once it is bound. This one is bound when a virtual machine first uses it."
	}
	return diagnose.API("let grow", plan.title(), diagnose.Paragraphs(left, remedy), err)
}

// awaitGrowth waits until the volume has its new size. A file system may grow only when
// the volume is next attached, which is no reason to wait.
func (c clients) awaitGrowth(ctx context.Context, plan *model) diag.Diagnostics {
	target := wait.Target{Resource: api.PersistentVolumeClaims, Namespace: plan.Namespace.ValueString(), Name: plan.Name.ValueString()}
	_, err := c.session.Hub.Until(ctx, target, seesGrowth(plan), wait.Options{})
	if err == nil {
		return nil
	}
	left := diagnose.Paragraphs(c.hint(ctx, plan), "The larger size was accepted and stays requested, so it may still grow. Plan again to see.")
	if failed := (*failedError)(nil); errors.As(err, &failed) {
		return diag.Diagnostics{diag.NewAttributeErrorDiagnostic(path.Root("size"), "Volume does not grow", diagnose.Paragraphs(
			fmt.Sprintf("The %s does not grow: %s.", plan.title(), failed.reason), left))}
	}
	return diag.Diagnostics{diag.WithPath(path.Root("size"), diagnose.API("see the growth of", plan.title(), left, err))}
}

func seesGrowth(plan *model) wait.Condition {
	wanted := sizeOf(plan.Size)
	return func(object *unstructured.Unstructured) (wait.Progress, error) {
		if object == nil {
			return wait.Progress{}, &failedError{"it was deleted by somebody else"}
		}
		claim, err := kube.Decode[corev1.PersistentVolumeClaim](object)
		if err != nil {
			return wait.Progress{}, err
		}
		switch claim.Status.AllocatedResourceStatuses[corev1.ResourceStorage] {
		case corev1.PersistentVolumeClaimControllerResizeInfeasible, corev1.PersistentVolumeClaimNodeResizeInfeasible:
			return wait.Progress{}, &failedError{"its storage cannot provide the size"}
		default:
		}
		has := claim.Status.Capacity.Storage()
		asked := claim.Spec.Resources.Requests.Storage() // a feed may lag behind the change
		done := asked.Cmp(*wanted) >= 0 && (has.Cmp(*wanted) >= 0 || awaitsAttachment(claim))
		return wait.Progress{Done: done, Message: fmt.Sprintf("it has %s of %s", has, wanted)}, nil
	}
}

// awaitsAttachment: the volume has grown, and what is on it will when a node mounts it.
func awaitsAttachment(claim *corev1.PersistentVolumeClaim) bool {
	for _, condition := range claim.Status.Conditions {
		if condition.Type == corev1.PersistentVolumeClaimFileSystemResizePending && condition.Status == corev1.ConditionTrue {
			return true
		}
	}
	return false
}
