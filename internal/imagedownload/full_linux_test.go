// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package imagedownload_test

import (
	"path/filepath"
	"syscall"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"

	"github.com/harvester-community/terraform-provider-harvester/internal/acctest"
)

// A disk that is too small is noticed at plan.
func TestAccImageDownload_fullDisk(t *testing.T) {
	t.Parallel()
	cluster, name := acctest.Shared(t), acctest.Name(t)
	small := t.TempDir()
	if err := syscall.Mount("tmpfs", small, "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("no file system can be mounted here: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(small, 0) })
	cluster.Uploaded(t, name, 4<<20)
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		Steps: []resource.TestStep{{
			Config: download(literal(name), filepath.Join(small, "disk.img"), ""), PlanOnly: true,
			ExpectError: acctest.Said(`Not enough disk space.*takes\s+4\.0\s+MiB.*1\.0\s+MiB\s+free`),
		}},
	})
}
