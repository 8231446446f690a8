// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package volume

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/diagnose"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
	"github.com/harvester-community/terraform-provider-harvester/internal/objects"
	"github.com/harvester-community/terraform-provider-harvester/internal/session"
	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
	"github.com/harvester-community/terraform-provider-harvester/internal/wait"
)

const leftTainted = "It exists and is marked for replacement: the next apply deletes it and starts over."

// awaitUsable waits until a new volume can be used, or one that was changed has grown, and returns
// it as it is then. After a wait that failed the time is up, so it gets a little of its own.
func awaitUsable(ctx context.Context, s *session.Session, plan, state *model, made *volume) (*volume, diag.Diagnostics) {
	c := clientsOf(s)
	var diags diag.Diagnostics
	switch {
	case state == nil:
		diags = c.await(ctx, plan, made)
	case plan.grows(state):
		diags = c.awaitGrowth(ctx, plan)
	}
	ctx, cancel := wait.Afterwards(ctx)
	defer cancel()
	seen, err := c.see(ctx, made.Namespace, made.Name, c.claims.Get)
	switch {
	case apierrors.IsNotFound(err) && diags.HasError():
		return nil, diags // the wait has said so
	case err != nil:
		return made, append(diags, diagnose.API("read", plan.title(), "What was done to it stays. Plan again to see its state.", err))
	}
	return seen, diags
}

// await waits until a new volume can be used: until it is bound and, if CDI makes it, filled.
// One whose class makes it when it is used is as good as it gets while it is pending.
func (c clients) await(ctx context.Context, plan *model, made *volume) diag.Diagnostics {
	target := wait.Target{Resource: api.PersistentVolumeClaims, Namespace: made.Namespace, Name: made.Name, UID: made.UID}
	condition := seesClaim(bindsWhenUsed(made.class))
	if made.data != nil {
		target.Resource, target.UID = api.DataVolumes, made.data.UID
		condition = seesDataVolume()
	}
	_, err := c.session.Hub.Until(ctx, target, condition, wait.Options{Stall: stall(plan.Timeouts)})
	if err == nil {
		return nil
	}
	left := diagnose.Paragraphs(c.hint(ctx, plan), leftTainted)
	if failed := (*failedError)(nil); errors.As(err, &failed) {
		return diag.Diagnostics{diag.NewErrorDiagnostic("Volume failed", diagnose.Paragraphs(
			fmt.Sprintf("The %s cannot be used: %s.", plan.title(), failed.reason), left))}
	}
	return diag.Diagnostics{diagnose.API("wait for", plan.title(), left, err)}
}

// stall is how long nothing may happen to a new volume: what keeps the cluster from making
// it does not go away by itself. Who sets a limit wants to wait that long.
func stall(timeouts *tfbase.Timeouts) time.Duration {
	if timeouts != nil && (!timeouts.Create.IsNull() || !timeouts.Default.IsNull()) {
		return 0
	}
	return 3 * time.Minute
}

// failedError says that a volume will never be usable.
type failedError struct{ reason string }

func (e *failedError) Error() string { return e.reason }

// seesClaim is done with a claim that is bound and filled, or that waits for its first use.
func seesClaim(whenUsed bool) wait.Condition {
	return func(object *unstructured.Unstructured) (wait.Progress, error) {
		if object == nil {
			return wait.Progress{}, &failedError{"it was deleted by somebody else"}
		}
		claim, err := kube.Decode[corev1.PersistentVolumeClaim](object)
		if err != nil {
			return wait.Progress{}, err
		}
		phase := claim.Status.Phase
		if phase == corev1.ClaimLost {
			return wait.Progress{}, &failedError{"Kubernetes calls it Lost"}
		}
		done := phase == corev1.ClaimBound && !filling(claim) || whenUsed && phase == corev1.ClaimPending
		return wait.Progress{Done: done, Message: "its phase is " + string(phase)}, nil
	}
}

// seesDataVolume is done with a data volume that is filled, or was collected after that.
func seesDataVolume() wait.Condition {
	return func(object *unstructured.Unstructured) (wait.Progress, error) {
		if object == nil {
			return wait.Progress{Done: true}, nil
		}
		data, err := kube.Decode[api.DataVolume](object)
		if err != nil {
			return wait.Progress{}, err
		}
		status := data.Status
		if status.Phase == api.DataVolumeFailed {
			return wait.Progress{}, &failedError{"CDI could not copy the image" + colon(complaint(status))}
		}
		message := "CDI copies the image: " + strings.TrimSpace(status.Phase+" "+status.Progress)
		progress := wait.Progress{Done: status.Phase == api.DataVolumeSucceeded, Message: message + colon(complaint(status))}
		if copiesUnseen(status) {
			progress.Stall = wait.Unlimited
		}
		return progress, nil
	}
}

// copiesUnseen says that CDI copies without telling how far it is, as where the storage clones by itself: that nothing
// changes says nothing then.
func copiesUnseen(status api.DataVolumeStatus) bool {
	return strings.HasSuffix(status.Phase, "InProgress") && !strings.HasSuffix(status.Progress, "%") && complaint(status) == ""
}

// complaint is what CDI says about what does not work; "" if nothing.
func complaint(status api.DataVolumeStatus) string {
	for _, condition := range status.Conditions {
		if condition.Type == "Running" && condition.Status == "False" {
			return strings.TrimSuffix(condition.Message, ".")
		}
	}
	return ""
}

func colon(text string) string {
	if text == "" {
		return ""
	}
	return ": " + text
}

// hint says what the cluster shows of the cause, for messages: the last warning about the
// volume; "" if there is none, or it cannot be read.
func (c clients) hint(ctx context.Context, m *model) string {
	ctx, cancel := wait.Afterwards(ctx)
	defer cancel()
	warning := objects.LastWarning(ctx, c.session.Client, m.Namespace.ValueString(), m.Name.ValueString())
	if warning == "" {
		return ""
	}
	return "Last warning about the volume: " + warning
}
