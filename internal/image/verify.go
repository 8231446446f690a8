// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package image

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-log/tflog"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/diagnose"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
	"github.com/harvester-community/terraform-provider-harvester/internal/transfer"
	"github.com/harvester-community/terraform-provider-harvester/internal/units"
	"github.com/harvester-community/terraform-provider-harvester/internal/wait"
)

// Values of verify: auto hashes a file while it is sent, strict before that.
const (
	verifyAuto   = "auto"
	verifyStrict = "strict"
)

// trusts says that Harvester itself compares what it gets with the content, because it was told its checksum. With the
// backend cdi it never does.
func trusts(spec api.VirtualMachineImageSpec, content *transfer.Content) bool {
	return spec.Backend != api.BackendCDI && content.SHA512 != "" && spec.Checksum == content.SHA512
}

// unverified are the annotations of an image whose data Harvester does not compare: that this is left to do, and which
// file it is to be compared with.
func unverified(sign transfer.Sign) map[string]string {
	return map[string]string{api.AnnotationUnverified: "true", api.AnnotationFile: sign.Same}
}

// announce marks the image before data is sent that Harvester does not compare. One that was made for them has the mark.
func (f *filler) announce(ctx context.Context, image *api.VirtualMachineImage) (*api.VirtualMachineImage, error) {
	if trusts(image.Spec, f.offered) {
		return image, nil
	}
	f.marked = true
	sign, err := f.offered.Sign(ctx)
	if err != nil || image.Unverified() && image.Annotations[api.AnnotationFile] == sign.Same {
		return image, err
	}
	marks := map[string]any{}
	for key, value := range unverified(sign) {
		marks[key] = value
	}
	return f.annotate(ctx, marks)
}

// annotate changes annotations of the image, if it still is the same.
func (f *filler) annotate(ctx context.Context, annotations map[string]any) (*api.VirtualMachineImage, error) {
	image, err := f.images.Patch(ctx, f.target.Namespace, f.target.Name, map[string]any{
		"metadata": map[string]any{"uid": f.target.UID, "annotations": annotations},
	})
	switch {
	case apierrors.IsNotFound(err), apierrors.IsConflict(err) && !kube.Denied(err), err == nil && image.DeletionTimestamp != nil:
		return nil, errGone
	}
	return image, err
}

// verify compares an image that Harvester has all of with its file, and takes the mark off. One that is not what it
// should be is deleted. Afterwards the checksums of what was sent are known.
func (f *filler) verify(ctx context.Context, image *api.VirtualMachineImage) (*api.VirtualMachineImage, error) {
	if f.content == nil || !f.marked && (f.offered == nil || f.offered.SHA512 != "") {
		return image, nil
	}
	if err := f.learn(ctx); err != nil {
		return image, err
	}
	if f.marked {
		wrong, err := f.compare(ctx, image)
		if err != nil {
			return image, err
		}
		if wrong != nil {
			transfer.UserCache().Forget(*f.offered)
			return image, f.discard(ctx, wrong)
		}
		if image, err = f.annotate(ctx, map[string]any{api.AnnotationUnverified: nil}); err != nil {
			return image, err
		}
	}
	transfer.UserCache().Keep(*f.offered)
	return image, nil
}

// learn finds out the checksums of the file, unless they were found while it was sent. An earlier run may have sent it.
func (f *filler) learn(ctx context.Context) (err error) {
	if f.offered == nil {
		if f.offered, err = f.content(ctx); err != nil {
			return err
		}
	}
	if f.offered.SHA512 != "" {
		return nil
	}
	tflog.Info(ctx, "Reading the file to compare it with the image", map[string]any{"image": f.title(), "file": f.offered.File.Path})
	content, err := transfer.UserCache().Scan(ctx, f.offered.File, f.offered.Treatment)
	f.offered = &content
	return err
}

// difference is why an image is not what it should be.
type difference struct {
	what string
	todo string
}

func (d *difference) Error() string { return d.what }

func (d *difference) diagnostic(title, left string) diag.Diagnostic {
	return diag.NewErrorDiagnostic("Image is not what was sent", fmt.Sprintf("The %s was not finished: %s. %s\n\n%s", title, d.what, left, d.todo))
}

// compare returns what is wrong with the data that the cluster has; nil if nothing is, as far as the cluster tells.
func (f *filler) compare(ctx context.Context, image *api.VirtualMachineImage) (*difference, error) {
	stored, silence, err := f.stored(ctx, image)
	size := image.Status.Size
	switch {
	case err != nil:
		return nil, err
	case stored != "":
		return f.otherData(stored), nil
	case size > 0 && size != f.offered.Size:
		return f.otherLength(size), nil
	}
	same, err := f.same(ctx, image)
	switch {
	case err != nil:
		return nil, err
	case !same:
		return &difference{
			what: fmt.Sprintf("an earlier apply, which was interrupted, sent its data, and nothing tells whether that is what the file %q holds now: the file was written or moved since, "+
				"and there is no checksum to compare (%s)", f.offered.File.Path, silence),
			todo: "Apply again: the file is then sent.",
		}, nil
	}
	tflog.Info(ctx, "What arrived could be compared by its length only", map[string]any{"image": f.title(), "bytes": size, "because": silence})
	return nil, nil //nolint:nilnil // documented
}

// same says that what the cluster has was read from the file as it is now.
func (f *filler) same(ctx context.Context, image *api.VirtualMachineImage) (bool, error) {
	if f.sent {
		return true, nil
	}
	sign, err := f.offered.Sign(ctx)
	return sign.Same == image.Annotations[api.AnnotationFile], err
}

func (f *filler) otherData(stored string) *difference {
	if stored == f.offered.SHA512 {
		return nil
	}
	if !f.sent {
		return &difference{
			what: fmt.Sprintf("an earlier apply, which was interrupted, sent other data than the file %q holds now (SHA-512 %.12s… in the cluster, %.12s… here)",
				f.offered.File.Path, stored, f.offered.SHA512),
			todo: "Apply again: the file is then sent.",
		}
	}
	return &difference{
		what: fmt.Sprintf("what arrived is not what was sent of the file %q (SHA-512 %.12s… in the cluster, %.12s… here)", f.offered.File.Path, stored, f.offered.SHA512),
		todo: "Apply again. If that ends like this as well, something on the way to the cluster's disks damages data: look for a proxy that rewrites bodies, bad memory or a bad disk.",
	}
}

func (f *filler) otherLength(stored int64) *difference {
	return &difference{
		what: fmt.Sprintf("the cluster has %d bytes (%s) of it, and the file %q makes %d (%s)",
			stored, units.Bytes(stored), f.offered.File.Path, f.offered.Size, units.Bytes(f.offered.Size)),
		todo: "Apply again: the file is then sent.",
	}
}

// tells is how long Longhorn may take to show the checksum of an image that Harvester reports imported. Mostly it is there
// before that.
const tells = time.Minute

// stored is the SHA-512 of the data that the cluster has; if it does not tell, why it does not. The error is the context's.
func (f *filler) stored(ctx context.Context, image *api.VirtualMachineImage) (sum, silence string, err error) {
	switch {
	case f.backend == api.BackendCDI:
		return "", "the backend cdi has none", nil
	case image.Spec.Checksum != "":
		return image.Spec.Checksum, "", nil
	}
	began, pause := time.Now(), time.Second/4
	for {
		found, wrong := f.backingImages.Get(ctx, api.NamespaceLonghorn, api.BackingImageName(image))
		switch {
		case ctx.Err() != nil:
			return "", "", context.Cause(ctx)
		case apierrors.IsForbidden(wrong), apierrors.IsNotFound(wrong):
			return "", clause(wrong), nil
		case wrong != nil:
			silence = clause(wrong)
		case found.Status.Checksum != "":
			return found.Status.Checksum, "", nil
		default:
			silence = "Longhorn shows none"
		}
		if time.Since(began) >= f.tells {
			return "", fmt.Sprintf("after %s: %s", f.tells, silence), nil
		}
		wait.Pause(ctx, pause)
		pause = min(2*pause, 5*time.Second)
	}
}

func clause(err error) string { return strings.TrimSuffix(diagnose.Said(err), ".") }
