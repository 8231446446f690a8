// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package imagedownload

import (
	"context"
	"fmt"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-log/tflog"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/diagnose"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
	"github.com/harvester-community/terraform-provider-harvester/internal/objects"
	"github.com/harvester-community/terraform-provider-harvester/internal/transfer"
	"github.com/harvester-community/terraform-provider-harvester/internal/wait"
)

// download makes the file and fills the plan with what it is.
func (r *Resource) download(ctx context.Context, plan *model, private privateState) diag.Diagnostics {
	image, stored, diags := r.check(ctx, plan, true)
	if diags.HasError() {
		return diags
	}
	received, err := (&fetcher{resource: r, image: image, download: plan.transfer(r.Session.Client, image, stored)}).fetch(ctx)
	if err != nil {
		return failed(plan, err)
	}
	if diags := r.stillThere(ctx, plan, image); diags.HasError() {
		received.Discard()
		return diags
	}
	if err := received.Commit(); err != nil {
		return failed(plan, err)
	}
	plan.describe(received.Digest)
	plan.ImageUID = types.StringValue(string(image.UID))
	return record(ctx, private, received.Digest)
}

// transfer says what to expect. Longhorn sends the file as it is stored, be it raw or qcow2, so
// the length is status.size; status.virtualSize is that of the disk in it, another number for qcow2.
// The checksum is of the stored file too, and Longhorn has verified spec.checksum.
// CDI's qcow2 files are made for the download: only the size of their disk is known.
func (m *model) transfer(client *kube.Client, image *api.VirtualMachineImage, stored api.BackingImageStatus) *transfer.Download {
	download := &transfer.Download{
		URL: client.ImageURL(image.Namespace, image.Name).JoinPath("download"), Target: m.target(), Stall: m.stall(),
	}
	if image.Spec.Backend == api.BackendCDI {
		download.Disk = image.Status.VirtualSize
		return download
	}
	download.Packed, download.Keep = true, !m.Decompress.ValueBool()
	download.Size, download.SHA512 = image.Status.Size, checksum(image, stored)
	return download
}

// checksum is the SHA-512 of what Longhorn stores, if anybody tells.
func checksum(image *api.VirtualMachineImage, stored api.BackingImageStatus) string {
	if image.Spec.Checksum != "" {
		return image.Spec.Checksum
	}
	return stored.Checksum
}

// stillThere looks at the image again: what was downloaded of one that was replaced
// meanwhile may be either.
func (r *Resource) stillThere(ctx context.Context, plan *model, image *api.VirtualMachineImage) diag.Diagnostics {
	for try := 1; ; try++ {
		now, err := r.images.Get(ctx, image.Namespace, image.Name)
		switch {
		case err == nil && now.UID == image.UID:
			return nil
		case err == nil, apierrors.IsNotFound(err):
			return diag.Diagnostics{diag.NewAttributeErrorDiagnostic(path.Root("image"), "Image changed during the download", fmt.Sprintf(
				"The image %q was deleted or made anew while it was downloaded, so what arrived cannot be trusted. %s\n\nPlan again.",
				plan.Image.ValueString(), plan.left()))}
		case try == tries || !kube.Transient(err):
			return failed(plan, err)
		}
		wait.Pause(ctx, time.Second<<try)
	}
}

// left says what state things are in when no file was made.
func (m *model) left() string {
	if info, err := m.stat(); err == nil && info != nil {
		return "The file that is there was left as it is."
	}
	return "No file was made."
}

func failed(plan *model, err error) diag.Diagnostics {
	left := plan.left()
	if apierrors.IsForbidden(err) {
		left += " Images of the backend cdi are downloaded by means of a VirtualMachineImageDownloader, which Harvester's own roles " +
			"do not allow to be made: it takes the verbs create, get, list and watch for virtualmachineimagedownloaders."
	}
	return objects.Failed("download", plan.title(), left, err)
}

// tries is how often a download is begun at most.
const tries = 3

// fetcher downloads one image.
type fetcher struct {
	resource *Resource
	image    *api.VirtualMachineImage
	download *transfer.Download
}

// fetch downloads, from the beginning each time, because no server resumes.
func (f *fetcher) fetch(ctx context.Context) (*transfer.Received, error) {
	f.download.Log = func(line string) { tflog.Info(ctx, "Downloading: "+line, f.about()) }
	for try := 1; ; try++ {
		received, err := f.once(ctx)
		if err == nil || try == tries || ctx.Err() != nil || !objects.Transient(err) || !transfer.Again(err, try) {
			return received, err
		}
		tflog.Warn(ctx, "The download broke", map[string]any{"image": f.id(), "try": try, "cause": diagnose.Said(err)})
		wait.Pause(ctx, time.Second<<try)
	}
}

func (f *fetcher) once(ctx context.Context) (*transfer.Received, error) {
	if f.image.Spec.Backend == api.BackendCDI {
		return f.throughDownloader(ctx)
	}
	return f.download.Receive(ctx, f.resource.Session.Client.Transfers())
}

func (f *fetcher) id() string { return f.image.Namespace + "/" + f.image.Name }

func (f *fetcher) about() map[string]any { return map[string]any{"image": f.id()} }
