// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package longhorn

import (
	"fmt"
	"io"

	"github.com/harvester-community/terraform-provider-harvester/internal/sandbox/qcow2"
)

// virtualSize is the size of the disk that a file holds: that of the file itself, unless it is qcow2.
func virtualSize(file io.ReaderAt, fileSize int64) (int64, error) {
	header, err := qcow2.ReadHeader(file)
	if err != nil || header == nil {
		return fileSize, err
	}
	return int64(header.Size), nil
}

// openRaw opens the disk that a file holds, and says how long it is.
func openRaw(path string) (io.ReadCloser, int64, error) {
	file, size, err := openPlain(path)
	if err != nil {
		return nil, 0, err
	}
	header, err := qcow2.ReadHeader(file)
	if err == nil && header == nil {
		return file, size, nil
	}
	var disk *qcow2.Reader
	if err == nil {
		disk, err = qcow2.NewReader(file, *header)
	}
	if err != nil {
		file.Close()
		return nil, 0, fmt.Errorf("failed to create raw image from qcow2 image %v: %w", path, err)
	}
	return readCloser{disk, file}, int64(header.Size), nil
}
