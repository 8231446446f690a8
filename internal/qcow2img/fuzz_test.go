// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package qcow2img_test

import (
	"bytes"
	"testing"

	"github.com/lima-vm/go-qcow2reader"

	"github.com/harvester-community/terraform-provider-harvester/internal/qcow2img"
)

// FuzzImage: whatever sizes are asked for, the image is as long as it says, and another reader sees its disk.
func FuzzImage(f *testing.F) {
	f.Fuzz(func(t *testing.T, virtual, data int64, seed uint64) {
		image := qcow2img.Image{VirtualSize: virtual % (1 << 40), DataSize: data % (8 << 20), Seed: seed}
		if image.Validate() != nil || image.FileSize() > 64<<20 {
			return
		}
		var file bytes.Buffer
		if n, err := image.WriteTo(&file); err != nil || n != image.FileSize() || n != int64(file.Len()) {
			t.Fatalf("%d bytes were written (%v), want %d", n, err, image.FileSize())
		}
		disk, err := qcow2reader.Open(bytes.NewReader(file.Bytes()))
		if err != nil || disk.Size() != image.VirtualSize {
			t.Fatalf("the reader sees %v (%v), want %d bytes", disk, err, image.VirtualSize)
		}
		if got := clustersWithData(t, disk); image.VirtualSize < 64<<20 && got != (image.DataSize+cluster-1)/cluster {
			t.Errorf("%d clusters hold data of %d bytes", got, image.DataSize)
		}
	})
}
