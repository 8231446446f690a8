// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package acctest

import (
	"context"
	"testing"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/imagestate"
	"github.com/harvester-community/terraform-provider-harvester/internal/transfer"
)

// Pending makes an image by other hands than Terraform's that waits for data.
func (c *Cluster) Pending(t *testing.T, name string) {
	t.Helper()
	image := &api.VirtualMachineImage{
		ObjectMeta: Meta("default", name),
		Spec:       api.VirtualMachineImageSpec{DisplayName: name + ".img", SourceType: api.SourceUpload},
	}
	if _, err := c.Images.Create(t.Context(), "default", image); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Images.Delete(context.Background(), "default", name, "") })
	c.Await(t, name, func(i imagestate.Image) bool { return i.AwaitsData })
}

// Uploaded makes a complete image by other hands than Terraform's.
func (c *Cluster) Uploaded(t *testing.T, name string, size int) {
	t.Helper()
	c.Pending(t, name)
	if err := c.Send(t, name, size); err != nil {
		t.Fatal(err)
	}
	c.Await(t, name, imagestate.Image.Ready)
}

// HeldUpload begins an upload that stops at the given progress until the fault is cleared.
func (c *Cluster) HeldUpload(t *testing.T, name string, progress int) {
	t.Helper()
	c.Pending(t, name)
	c.SetFault(t, name, Fault{HoldProgress: &progress})
	go func() { _ = c.Send(t, name, 4<<20) }()
	c.Await(t, name, func(i imagestate.Image) bool { return i.Progress > 0 })
}

// Send uploads random bytes.
func (c *Cluster) Send(t *testing.T, name string, size int) error {
	t.Helper()
	path, _ := RawImage(t, size)
	file, err := transfer.Inspect(path)
	if err != nil {
		return err
	}
	upload := &transfer.Upload{URL: c.Client.ImageURL("default", name), Part: "chunk", Content: file.Unscanned(true)}
	return upload.Send(t.Context(), c.Client.Transfers())
}

// Await waits until an image in the namespace default is as wanted.
func (c *Cluster) Await(t *testing.T, name string, wanted func(imagestate.Image) bool) {
	t.Helper()
	Eventually(t, "the image "+name+" is as wanted", func(ctx context.Context) bool {
		image, err := c.Images.Get(ctx, "default", name)
		return err == nil && wanted(imagestate.Of(image))
	})
}
