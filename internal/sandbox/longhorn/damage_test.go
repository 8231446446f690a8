// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package longhorn

import (
	"bytes"
	"context"
	"net/http"
	"testing"

	lhv1beta2 "github.com/longhorn/longhorn-manager/k8s/pkg/apis/longhorn/v1beta2"

	"github.com/harvester-community/terraform-provider-harvester/internal/sandbox/faults"
)

// A damaged import is refused if its checksum is known before, and has another one if not.
func TestDamagedImport(t *testing.T) {
	data := disk()
	for name, test := range map[string]struct {
		fault    faults.Fault
		expected string
		state    lhv1beta2.BackingImageState
		shown    func(checksum string) bool
	}{
		"damaged, expected":      {faults.Fault{CorruptStored: true}, sum(data), failed, func(got string) bool { return got == "" }},
		"damaged, not expected":  {faults.Fault{CorruptStored: true}, "", ready, func(got string) bool { return got != "" && got != sum(data) }},
		"whole, but not telling": {faults.Fault{HideChecksum: true}, "", ready, func(got string) bool { return got == "" }},
		"whole":                  {faults.Fault{}, "", ready, func(got string) bool { return got == sum(data) }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.faults.Set(faults.Everything, test.fault)
			r.create("up", lhv1beta2.BackingImageDataSourceTypeUpload, test.expected, nil)
			r.await("up", pending)
			if code, text := r.post("up", len(data), "chunk", bytes.NewReader(data)); code != http.StatusOK {
				t.Fatalf("upload: %d %s", code, text)
			}
			r.await("up", test.state)
			if image, _ := r.image(context.Background(), "up"); !test.shown(image.Status.Checksum) {
				t.Errorf("status %+v", image.Status)
			}
			if !test.fault.HideChecksum {
				return
			}
			r.faults.ClearAll()
			r.eventually(func() bool {
				image, err := r.image(context.Background(), "up")
				return err == nil && image.Status.Checksum == sum(data)
			}, func() string { return "the checksum stays hidden" })
		})
	}
}
