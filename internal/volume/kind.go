// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

// Package volume is the resource and data source harvester_volume: it makes a volume, empty or from a
// ready image, waits until it can be used, and lets it grow.
package volume

import (
	"context"
	"fmt"
	"slices"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
	"github.com/harvester-community/terraform-provider-harvester/internal/session"
	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
)

// Type is the name of the resource and of its data source.
const Type = "harvester_volume"

const kindClaim = "PersistentVolumeClaim"

// Kind declares them. What the API has is a claim, with a data volume behind it if CDI fills it, so
// the steps are the kind's own.
var Kind = &tfbase.Kind[model, *model, volume, *volume]{
	TypeName: Type,
	One:      "a volume", Short: "volume",
	Resource: api.PersistentVolumeClaims, APIKind: kindClaim,
	Schema: volumeSchema(), Limits: limits,
	Omit:     []string{"force_detach"},
	Validate: func(_ context.Context, config *model) diag.Diagnostics { return config.checkModes() },
	Plan:     plan,
	Check:    check,
	Replaces: (*model).replaces,
	Stirs:    (*model).stirs,
	Look:     look,
	Offers:   offers,
	ListNote: "So are the disks of a virtual machine that it makes itself, and what images of the backend `cdi` keep their data in.",
	Intent: func(wanted *volume) []any {
		return []any{wanted.Spec, wanted.Annotations[api.AnnotationImageID]}
	},
	Prepare:  prepare,
	Annotate: annotate,
	Create:   create,
	Change:   change,
	Delete:   remove, PlanDelete: planDelete,
	Await: awaitUsable,
}

// clients are the kinds that a volume has to do with.
type clients struct {
	session     *session.Session
	claims      kube.Resource[corev1.PersistentVolumeClaim]
	dataVolumes kube.Resource[api.DataVolume]
	classes     kube.Resource[storagev1.StorageClass]
	images      kube.Resource[api.VirtualMachineImage]
	machines    kube.Resource[api.MachineVolumes]
}

func clientsOf(s *session.Session) clients {
	return clients{
		session:     s,
		claims:      kube.For[corev1.PersistentVolumeClaim](s.Client, api.PersistentVolumeClaims, kindClaim),
		dataVolumes: kube.For[api.DataVolume](s.Client, api.DataVolumes, api.KindDataVolume),
		classes:     kube.For[storagev1.StorageClass](s.Client, api.StorageClasses, "StorageClass"),
		images:      kube.For[api.VirtualMachineImage](s.Client, api.Images, api.KindImage),
		machines:    kube.For[api.MachineVolumes](s.Client, api.VirtualMachines, "VirtualMachine"),
	}
}

func look(ctx context.Context, s *session.Session, namespace, name string, fresh bool) (*volume, error) {
	c := clientsOf(s)
	if fresh {
		return c.see(ctx, namespace, name, c.claims.Get)
	}
	return c.see(ctx, namespace, name, c.claims.Recent)
}

// offers leaves out what a virtual machine makes from its own disk blocks, and what CDI makes for anything but a volume.
func offers(ctx context.Context, s *session.Session, object *unstructured.Unstructured) (bool, error) {
	c := clientsOf(s)
	machines, err := c.machines.RecentAll(ctx, object.GetNamespace())
	if err != nil && !apierrors.IsForbidden(err) && !apierrors.IsNotFound(err) {
		return false, fmt.Errorf("list the virtual machines: %w", err)
	}
	if slices.ContainsFunc(machines, func(m api.MachineVolumes) bool { return m.Makes(object.GetName()) }) {
		return false, nil
	}
	owner := metav1.GetControllerOf(object)
	if owner == nil {
		return true, nil
	}
	data, err := c.dataVolumes.Recent(ctx, object.GetNamespace(), owner.Name)
	if apierrors.IsNotFound(err) || apierrors.IsForbidden(err) {
		return true, nil
	}
	return err == nil && len(data.OwnerReferences) == 0, err
}

// plan plans no change for a volume that only looks different, and refuses to shrink one.
func plan(ctx context.Context, p *tfbase.Planning[*model]) diag.Diagnostics {
	switch {
	case p.State == nil && p.Config.StorageClassName.IsNull() && p.Session != nil && p.Session.PlanChecks != session.ChecksOff:
		return clientsOf(p.Session).planDefaultClass(ctx, p.Plan)
	case p.State == nil:
	case p.Plan.replaces(p.State):
		// The second half is planned as a creation. By the time that is applied, the old volume is gone.
		if p.Session != nil {
			return clientsOf(p.Session).planMissingClass(ctx, p.Plan, diag.SeverityError)
		}
	case p.Plan.same(p.State):
		p.Keep()
	case p.Plan.shrinks(p.State):
		return diag.Diagnostics{shrinkage(p.Plan, p.State)}
	}
	return nil
}
