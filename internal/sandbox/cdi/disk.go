// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package cdi

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"

	"github.com/harvester-community/terraform-provider-harvester/internal/sandbox/pace"
	"github.com/harvester-community/terraform-provider-harvester/internal/sandbox/qcow2"
)

const (
	bufferSize = 64 << 10
	// headerSize is how much of a file CDI looks at to learn its format.
	headerSize = 512
	// device is where the volume of a claim is in a pod.
	device = "/dev/cdi-block-volume"
)

var zeros = make([]byte, bufferSize)

// format is how a disk is wrapped in a file.
type format string

// The formats that CDI knows.
const (
	raw     format = "raw"
	qcow    format = "qcow2"
	gzipped format = "gz"
	zstd    format = "zst"
	xz      format = "xz"
	vmdk    format = "vmdk"
	vdi     format = "vdi"
	vhd     format = "vhd"
	vhdx    format = "vhdx"
)

// formatOf tells the format from the first bytes of a file.
func formatOf(header []byte) format {
	for _, known := range []struct {
		format
		offset int
		magic  string
	}{
		{gzipped, 0, "\x1f\x8b"},
		{zstd, 0, "\x28\xb5\x2f\xfd"},
		{xz, 0, "\xfd7zXZ\x00"},
		{qcow, 0, "QFI\xfb"},
		{vmdk, 0, "KDMV"},
		{vdi, 0x40, "\x7f\x10\xda\xbe"},
		{vhd, 0, "conectix"},
		{vhdx, 0, "vhdxfile"},
	} {
		if bytes.HasPrefix(header[min(known.offset, len(header)):], []byte(known.magic)) {
			return known.format
		}
	}
	return raw
}

// unwrapped returns what is in a stream, unpacked if it is packed, and the format of that.
func unwrapped(stream io.Reader) (io.Reader, format, error) {
	content, found, err := peeked(stream)
	if err != nil || found != gzipped {
		return content, found, err
	}
	unpacked, err := gzip.NewReader(content)
	if err != nil {
		return nil, "", err
	}
	return peeked(unpacked)
}

func peeked(stream io.Reader) (io.Reader, format, error) {
	content := bufio.NewReaderSize(stream, bufferSize)
	header, err := content.Peek(headerSize)
	if err == io.EOF && len(header) > 0 {
		err = io.ErrUnexpectedEOF
	}
	return content, formatOf(header), err
}

// process takes the disk out of a stream and writes it to the claim.
func (p *pod) process(stream io.Reader) error {
	content, found, err := unwrapped(contextReader{p.ctx.Done(), stream})
	if err != nil {
		return wrapped("Unable to obtain information about data source: could not process image header", err)
	}
	switch found {
	case raw:
		return wrapped("Unable to transfer source data to target file", p.write(content))
	case qcow:
		return p.convert(content)
	}
	return wrapped("Unable to convert source data to target format", fmt.Errorf("the sandbox does not read images of the format %s", found))
}

// wrapped puts a text of CDI, which begins its errors in upper case, before an error.
func wrapped(text string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", text, err)
}

// write writes a raw disk to the claim.
func (p *pod) write(content io.Reader) error {
	file, err := p.store.create(p.store.tmpPath(p.uid))
	if err != nil {
		return err
	}
	defer file.Close()
	err = copySparse(file, content, p.size)
	switch {
	case err == nil:
		return nil
	case isNoCapacity(err):
		return fmt.Errorf("unable to write to file: %w", err)
	}
	return wrapped("Unable to pull image", err)
}

// convert keeps a qcow2 file in scratch space and writes its disk to the claim.
func (p *pod) convert(content io.Reader) error {
	scratch, err := p.store.create(p.store.scratchPath(p.uid))
	if err != nil {
		return err
	}
	defer os.Remove(scratch.Name())
	defer scratch.Close()
	if _, err := io.CopyBuffer(struct{ io.Writer }{scratch}, content, make([]byte, bufferSize)); err != nil {
		return wrapped("Unable to transfer source data to scratch space: Unable to pull image", err)
	}
	return wrapped("Unable to convert source data to target format", p.convertFile(scratch))
}

func (p *pod) convertFile(file io.ReaderAt) error {
	header, err := qcow2.ReadHeader(file)
	if err != nil {
		return err
	}
	if int64(header.Size) > p.size {
		return tooLargeError{virtual: int64(header.Size), available: p.size}
	}
	disk, err := qcow2.NewReader(file, *header)
	if err != nil {
		return wrapped("Conversion to Raw failed", err)
	}
	if !pace.Wait(p.ctx, p.pace.Convert()) {
		return errStopped
	}
	return wrapped("Conversion to Raw failed", p.write(contextReader{p.ctx.Done(), disk}))
}

// tooLargeError is the error of a disk that is larger than its claim.
type tooLargeError struct{ virtual, available int64 }

// Error implements error.
func (t tooLargeError) Error() string {
	return fmt.Sprintf("virtual image size %d is larger than the reported available storage %d. A larger PVC is required", t.virtual, t.available)
}

// isNoCapacity says whether an error is about too little space.
func isNoCapacity(err error) bool {
	var large tooLargeError
	return errors.Is(err, syscall.ENOSPC) || errors.As(err, &large)
}

// simplified words the error of an import as CDI shows it.
func simplified(err error) string {
	if isNoCapacity(err) {
		return "DataVolume too small to contain image"
	}
	if failed, ok := errors.AsType[connectError](err); ok {
		return failed.Error()
	}
	return "Unable to process data: " + err.Error()
}

// copySparse copies a disk of at most limit bytes and leaves holes where there is nothing but zeros. The file ends with
// the disk.
func copySparse(file *os.File, content io.Reader, limit int64) error {
	buffer := make([]byte, bufferSize)
	var copied int64
	for {
		n, readErr := content.Read(buffer)
		if copied += int64(n); copied > limit {
			return &os.PathError{Op: "write", Path: device, Err: syscall.ENOSPC}
		}
		if err := writeSparse(file, buffer[:n]); err != nil {
			return err
		}
		if readErr == io.EOF {
			return file.Truncate(copied)
		}
		if readErr != nil {
			return readErr
		}
	}
}

func writeSparse(file *os.File, data []byte) error {
	if bytes.Equal(data, zeros[:len(data)]) {
		_, err := file.Seek(int64(len(data)), io.SeekCurrent)
		return err
	}
	_, err := file.Write(data)
	return err
}

// connectError is the error of an import that does not get at its source.
type connectError struct{ error }

// Error implements error.
func (c connectError) Error() string {
	return "Unable to connect to http data source: " + strings.TrimSpace(c.error.Error())
}
