// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

// Package plancheck is the gate between what a configuration wants to do with
// an image and the state the image is in. It runs in the plan walk, again in the
// apply walk, and a last time right before the first write.
package plancheck

import (
	"context"
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/diagnose"
	"github.com/harvester-community/terraform-provider-harvester/internal/imagestate"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
	"github.com/harvester-community/terraform-provider-harvester/internal/session"
	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
)

// Use is one intended use of an image.
type Use struct {
	// Image is the image's namespace/name.
	Image     string
	Operation imagestate.Operation
	// At is the argument that names the image; a refusal is shown there.
	At path.Path
	// Size is the size of the disk to be made from the image, in bytes; 0 checks
	// nothing. SizeText is how the configuration says it, SizeAt where.
	Size     int64
	SizeText string
	SizeAt   path.Path
}

// Plan checks a use during a plan. An image that this run makes ready is
// accepted. Terraform plans the image before what refers to it, so its promise
// is known by now. A cluster that cannot be read is no reason to refuse, but one to warn.
func Plan(ctx context.Context, s *session.Session, use Use) diag.Diagnostics {
	if s == nil || s.PlanChecks == session.ChecksOff || s.Images.Has(session.ImageID(use.Image)) {
		return nil
	}
	images := kube.For[api.VirtualMachineImage](s.Client, api.Images, api.KindImage)
	_, at, refusal, err := check(ctx, images.Recent, use)
	if refusal != nil { // what others saw a moment ago may have changed
		_, at, refusal, err = check(ctx, images.Get, use)
	}
	if err != nil {
		return s.MustCheck(err)
	}
	if refusal == nil {
		return nil
	}
	return diag.Diagnostics{Planned(s.PlanChecks, at, use.Operation, refusal)}
}

// Planned is how a refusal is told during a plan.
func Planned(checks session.PlanChecks, at path.Path, op imagestate.Operation, refusal *imagestate.Refusal) diag.Diagnostic {
	detail := refusal.Detail(op) + "\n\n" + Way(checks)
	if checks == session.ChecksWarn {
		return diag.NewAttributeWarningDiagnostic(at, refusal.Summary, detail)
	}
	return diag.NewAttributeErrorDiagnostic(at, refusal.Summary, detail)
}

// Applied is how a refusal is told right before the first write.
func Applied(at path.Path, op imagestate.Operation, refusal *imagestate.Refusal) diag.Diagnostic {
	return diag.NewAttributeErrorDiagnostic(at, refusal.Summary, refusal.Detail(op)+"\n\nNothing was created or changed.")
}

// Apply checks a use right before the first write and returns the image as it
// is. There is no switch for it.
func Apply(ctx context.Context, s *session.Session, use Use) (*api.VirtualMachineImage, diag.Diagnostics) {
	images := kube.For[api.VirtualMachineImage](s.Client, api.Images, api.KindImage)
	image, at, refusal, err := check(ctx, images.Get, use)
	switch {
	case err != nil:
		return nil, diag.Diagnostics{diagnose.API("read", fmt.Sprintf("image %q", use.Image), "Nothing was created or changed.", err)}
	case refusal != nil:
		return nil, diag.Diagnostics{Applied(at, use.Operation, refusal)}
	}
	return image, nil
}

// get reads an image: kube.Resource's Get or Recent.
type get func(ctx context.Context, namespace, name string) (*api.VirtualMachineImage, error)

// check looks at the cluster. Exactly one of image, refusal and err is set.
func check(ctx context.Context, read get, use Use) (*api.VirtualMachineImage, path.Path, *imagestate.Refusal, error) {
	namespace, name, wrong := tfbase.ParseID(use.Image)
	if wrong != nil {
		return nil, use.At, badReference(wrong), nil
	}
	image, err := read(ctx, namespace, name)
	switch {
	case apierrors.IsNotFound(err):
		return nil, use.At, imagestate.Absent(use.Image), nil
	case err != nil:
		return nil, use.At, nil, err
	}
	state := imagestate.Of(image)
	if refusal := imagestate.Check(state, use.Operation); refusal != nil {
		return nil, use.At, refusal, nil
	}
	if use.Size > 0 {
		if refusal := imagestate.TooSmall(state, use.Size, use.SizeText); refusal != nil {
			return nil, use.SizeAt, refusal, nil
		}
	}
	return image, use.At, nil, nil
}

func badReference(wrong error) *imagestate.Refusal {
	return &imagestate.Refusal{
		Summary: "Invalid image reference", Reason: "The reference is wrong: " + wrong.Error() + ".",
		Remedy: "Refer to an image as harvester_image.<name>.id.",
	}
}

// Way is the way around what a plan refuses, or why it only warns.
func Way(checks session.PlanChecks) string {
	if checks == session.ChecksWarn {
		return "This is a warning because plan_checks is \"warn\"; apply refuses all the same."
	}
	return "This check also runs when terraform destroy makes its plan. To destroy all the same, use terraform destroy -refresh=false, " +
		"or set HARVESTER_PLAN_CHECKS=warn (plan_checks = \"warn\" in the provider block)."
}
