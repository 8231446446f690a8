// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package transfer_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/harvester-community/terraform-provider-harvester/internal/qcow2img"
	"github.com/harvester-community/terraform-provider-harvester/internal/transfer"
)

// Places in the header of a qcow2 file.
const (
	diskAt, l1SizeAt, l1At, refcountsAt = 24, 36, 40, 48
)

// qcow2File is a whole image, two second tables long.
func qcow2File(t *testing.T) []byte {
	t.Helper()
	var image bytes.Buffer
	if _, err := (qcow2img.Image{VirtualSize: 520 << 20, DataSize: 1 << 20}).WriteTo(&image); err != nil {
		t.Fatal(err)
	}
	return image.Bytes()
}

func TestPreflightReadsTables(t *testing.T) {
	t.Parallel()
	whole := qcow2File(t)
	put := func(at int, value uint64) []byte {
		changed := bytes.Clone(whole)
		binary.BigEndian.PutUint64(changed[at:], value)
		return changed
	}
	short := bytes.Clone(whole)
	binary.BigEndian.PutUint32(short[l1SizeAt:], 1)
	wide := bytes.Clone(whole)
	binary.BigEndian.PutUint32(wide[20:], 40) // bits of a cluster
	l1 := int(binary.BigEndian.Uint64(whole[l1At:]))
	l2 := int(binary.BigEndian.Uint64(whole[l1:]) &^ (1 << 63))
	for name, test := range map[string]struct {
		content []byte
		refused string
		late    bool // packed, it is refused when all of it was read
	}{
		"whole":                        {content: whole},
		"more behind it":               {content: append(bytes.Clone(whole), "a bitmap, perhaps"...)},
		"ends within its last data":    {content: whole[:len(whole)-1000]},
		"cut in its data":              {content: whole[:len(whole)-100_000], refused: "data lies beyond its end"},
		"cut behind its tables":        {content: whole[:l2+65536], refused: "lies beyond its end"},
		"cut in its first table":       {content: whole[:l1+8], refused: "its first table lies beyond its end", late: true},
		"cut behind its header":        {content: whole[:4096], refused: "its reference count table lies beyond its end", late: true},
		"first table is elsewhere":     {content: put(l1At, 40<<30), refused: "its first table lies beyond its end", late: true},
		"counts are elsewhere":         {content: put(refcountsAt, 40<<30), refused: "its reference count table lies beyond its end", late: true},
		"second table is elsewhere":    {content: put(l1, 1<<40), refused: "a second table lies beyond its end"},
		"second table is askew":        {content: put(l1, 65536+512), refused: "not where a cluster begins"},
		"first table is too short":     {content: short, refused: "too short for its disk", late: true},
		"disk is larger than possible": {content: put(diskAt, 1<<62), refused: "too short for its disk", late: true},
		"clusters make no sense":       {content: wide, refused: "its header makes no sense", late: true},
	} {
		for _, packing := range []string{"", "gzip"} {
			t.Run(name+packing, func(t *testing.T) {
				t.Parallel()
				file := inspected(t, packed(t, packing, test.content))
				format, size, err := file.Preflight(t.Context(), unpacking)
				if packing != "" && err == nil {
					_, err = file.Scan(t.Context(), unpacking)
				}
				if test.refused == "" || packing != "" && !test.late {
					if err != nil || format != transfer.QCOW2 || size != 520<<20 {
						t.Errorf("got %s of %d bytes, %v", format, size, err)
					}
					return
				}
				var wrong *transfer.FileError
				if !errors.As(err, &wrong) || !strings.Contains(wrong.Reason, test.refused) {
					t.Errorf("got %v, want %q", err, test.refused)
				}
			})
		}
	}
}

// Images of qemu-img are taken, with and without what lies outside of their tables.
func TestPreflightTakesImagesOfQEMU(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("qemu-img"); err != nil {
		t.Skip("qemu-img is not installed")
	}
	for _, arguments := range []string{
		"create -f qcow2 % 10G", "create -f qcow2 -o preallocation=metadata % 100M", "create -f qcow2 -o preallocation=falloc % 10M",
		"create -f qcow2 -o extended_l2=on % 10G", "create -f qcow2 -o cluster_size=2M % 10G", "create -f qcow2 -o compat=0.10 % 1G",
		"create -f qcow2 % 1000000512",
	} {
		t.Run(arguments, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "disk.qcow2")
			run := func(line string) {
				t.Helper()
				if output, err := exec.Command("qemu-img", strings.Fields(strings.ReplaceAll(line, "%", path))...).CombinedOutput(); err != nil {
					t.Skipf("this qemu-img cannot: %s", output)
				}
			}
			run(arguments)
			run("snapshot -c before %")
			file, err := transfer.Inspect(path)
			if err != nil {
				t.Fatal(err)
			}
			if _, _, err := file.Preflight(t.Context(), unpacking); err != nil {
				t.Error(err)
			}
		})
	}
}

// counted is a file that knows how much was read of it.
type counted struct {
	io.ReaderAt
	read atomic.Int64
}

func (c *counted) ReadAt(p []byte, off int64) (int, error) {
	n, err := c.ReaderAt.ReadAt(p, off)
	c.read.Add(int64(n))
	return n, err
}

// An image whose first table, as large as it can be, names one second table over and over is read no more than one that names it once.
func TestPreflightReadsNoTableTwice(t *testing.T) {
	t.Parallel()
	const cluster, entries = 2 << 20, 4 << 20
	content := make([]byte, 3*cluster+8*entries)
	copy(content, header(nil)[:104])
	binary.BigEndian.PutUint32(content[20:], 21)
	binary.BigEndian.PutUint64(content[diskAt:], 1<<40)
	binary.BigEndian.PutUint32(content[l1SizeAt:], entries)
	binary.BigEndian.PutUint64(content[l1At:], 3*cluster)
	binary.BigEndian.PutUint64(content[refcountsAt:], cluster)
	for at := 3 * cluster; at < len(content); at += 8 {
		binary.BigEndian.PutUint64(content[at:], 2*cluster)
	}
	file := &counted{ReaderAt: bytes.NewReader(content)}
	if size, wrong, err := transfer.CheckQCOW2(t.Context(), file, int64(len(content))); err != nil || wrong != "" || size != 1<<40 {
		t.Errorf("got a disk of %d bytes, %q, %v", size, wrong, err)
	}
	if read := file.read.Load(); read > int64(len(content)) {
		t.Errorf("%d bytes of %d were read", read, len(content))
	}
}

// A sparse file can have more tables than anybody waits for.
func TestReadingTablesIsInterrupted(t *testing.T) {
	t.Parallel()
	const cluster, entries = 2 << 20, 1 << 20
	path := filepath.Join(t.TempDir(), "disk.qcow2")
	content := make([]byte, 2*cluster+8*entries)
	copy(content, header(nil)[:104])
	binary.BigEndian.PutUint32(content[20:], 21)
	binary.BigEndian.PutUint32(content[l1SizeAt:], entries)
	binary.BigEndian.PutUint64(content[l1At:], 2*cluster)
	binary.BigEndian.PutUint64(content[refcountsAt:], cluster)
	for i := range entries {
		binary.BigEndian.PutUint64(content[2*cluster+8*i:], uint64(100+i)*cluster)
	}
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, (100+entries)*cluster); err != nil {
		t.Skip(err) // 2 TiB are too much for this file system
	}
	file, err := transfer.Inspect(path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	started := time.Now()
	if _, _, err := file.Preflight(ctx, unpacking); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	if took := time.Since(started); took > 2*time.Second {
		t.Errorf("it took %s to stop", took)
	}
}
