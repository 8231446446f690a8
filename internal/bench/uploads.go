// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
)

// uploadRequests plans and applies images of files that were never hashed, with the real terraform and the real
// provider, and counts all that they ask.
func uploadRequests(ctx context.Context, b *bench, r *report) error {
	server := startCluster()
	defer server.stop()
	work, err := newWorkspace(b, uploadsConfig("many", crowd), server.Server)
	if err != nil {
		return err
	}
	if err := b.files(work.path("many"), crowd, mib); err != nil {
		return err
	}
	if server.checksum, err = sha512Of(uploadFile(work.path("many"), 0)); err != nil {
		return err
	}
	if _, err := work.terraform(ctx, "plan", "-out=plan"); err != nil {
		return err
	}
	_, planning := server.asked.take()
	if _, err := work.terraform(ctx, "apply", "plan"); err != nil {
		return err
	}
	applying, count := server.asked.take()
	r.figure("requests_per_100_uploads", float64(planning+count), 0, fmt.Sprintf("%d in the plan; in the apply %s", planning, applying))
	return nil
}

// uploadsConfig makes images of that name, each of its own file beside the configuration.
func uploadsConfig(name string, count int) string {
	return fmt.Sprintf(`
resource "harvester_image" "%[1]s" {
  count        = %[2]d
  name         = "%[1]s-${count.index}"
  display_name = "%[1]s-${count.index}"
  source_type  = "upload"
  file_path    = "${path.module}/%[1]s-${count.index}.img"
}
`, name, count)
}

func uploadFile(prefix string, i int) string { return fmt.Sprintf("%s-%d.img", prefix, i) }

// files makes as many files of that size for uploadsConfig: one, under many names.
func (b *bench) files(prefix string, count int, size int64) error {
	first := uploadFile(prefix, 0)
	within, err := filepath.Rel(b.dir, first)
	if err != nil {
		return err
	}
	if _, err := b.file(within, size); err != nil {
		return err
	}
	for i := 1; i < count; i++ {
		if err := os.Link(first, uploadFile(prefix, i)); err != nil {
			return err
		}
	}
	return nil
}
