// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package qcow2img_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"testing"

	"github.com/lima-vm/go-qcow2reader"
	"github.com/lima-vm/go-qcow2reader/image"

	"github.com/harvester-community/terraform-provider-harvester/internal/qcow2img"
)

const cluster = qcow2img.ClusterSize

func TestIndependentReaderReadsTheSameDisk(t *testing.T) {
	for name, written := range map[string]qcow2img.Image{
		"one sector":          {VirtualSize: 512},
		"empty":               {VirtualSize: 8 << 20},
		"full":                {VirtualSize: 4 << 20, DataSize: 4 << 20},
		"sparse":              {VirtualSize: 64 << 20, DataSize: 5 << 20, Seed: 7},
		"two L2 tables":       {VirtualSize: 520 << 20, DataSize: 3 << 20},
		"no whole cluster":    {VirtualSize: 3*cluster + 512, DataSize: 2 * cluster},
		"data no whole count": {VirtualSize: 10 * cluster, DataSize: cluster + 1},
	} {
		t.Run(name, func(t *testing.T) {
			file := render(t, written)
			img, err := qcow2reader.Open(bytes.NewReader(file))
			if err != nil {
				t.Fatal(err)
			}
			if img.Size() != written.VirtualSize {
				t.Errorf("the reader sees a disk of %d bytes, not %d", img.Size(), written.VirtualSize)
			}
			wantClusters := (written.DataSize + cluster - 1) / cluster
			if got := clustersWithData(t, img); got != wantClusters {
				t.Errorf("%d clusters hold data, want %d", got, wantClusters)
			}
		})
	}
}

// What the reader finds must be what lies in the data clusters of the file, in order.
func TestDataIsWhereTheTablesSay(t *testing.T) {
	written := qcow2img.Image{VirtualSize: 40 * cluster, DataSize: 8 * cluster, Seed: 3}
	file := render(t, written)
	img, err := qcow2reader.Open(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	disk := make([]byte, img.Size())
	if _, err := io.ReadFull(io.NewSectionReader(img, 0, img.Size()), disk); err != nil {
		t.Fatal(err)
	}
	var data []byte
	for at := 0; at < len(disk); at += cluster {
		if !zero(disk[at : at+cluster]) {
			data = append(data, disk[at:at+cluster]...)
		}
	}
	if !bytes.Equal(data, file[len(file)-8*cluster:]) {
		t.Error("the disk does not hold the data clusters of the file in order")
	}
}

func TestEveryClusterIsCountedOnce(t *testing.T) {
	// More than one refcount block: over 2 GiB of file would be too slow, so the counts of one block are checked.
	file := render(t, qcow2img.Image{VirtualSize: 32 << 20, DataSize: 9 << 20})
	table := binary.BigEndian.Uint64(file[48:])
	block := binary.BigEndian.Uint64(file[table:])
	for n := range cluster / 2 {
		want := uint16(0)
		if n < len(file)/cluster {
			want = 1
		}
		if got := binary.BigEndian.Uint16(file[int(block)+2*n:]); got != want {
			t.Fatalf("cluster %d is counted %d times, want %d", n, got, want)
		}
	}
}

func TestSeedAndSizes(t *testing.T) {
	one, two := qcow2img.Image{VirtualSize: cluster, DataSize: cluster, Seed: 1}, qcow2img.Image{VirtualSize: cluster, DataSize: cluster, Seed: 2}
	if !bytes.Equal(render(t, one), render(t, one)) {
		t.Error("the same image is written in two ways")
	}
	if bytes.Equal(render(t, one), render(t, two)) {
		t.Error("the seed makes no difference")
	}
	for _, wrong := range []qcow2img.Image{{}, {VirtualSize: 1000}, {VirtualSize: 512, DataSize: 1024}, {VirtualSize: 512, DataSize: -1}} {
		if _, err := wrong.WriteTo(io.Discard); err == nil {
			t.Errorf("%+v is written", wrong)
		}
	}
}

func render(t *testing.T, written qcow2img.Image) []byte {
	t.Helper()
	var file bytes.Buffer
	n, err := written.WriteTo(&file)
	if err != nil {
		t.Fatal(err)
	}
	if n != written.FileSize() || int64(file.Len()) != n {
		t.Errorf("%d bytes are written, %d reported, %d announced", file.Len(), n, written.FileSize())
	}
	return file.Bytes()
}

func clustersWithData(t *testing.T, img image.Image) (count int64) {
	t.Helper()
	buffer := make([]byte, cluster)
	for at := int64(0); at < img.Size(); at += cluster {
		n, err := img.ReadAt(buffer[:min(cluster, img.Size()-at)], at)
		if err != nil && !errors.Is(err, io.EOF) {
			t.Fatal(err)
		}
		if !zero(buffer[:n]) {
			count++
		}
	}
	return count
}

var zeros [cluster]byte

func zero(b []byte) bool { return bytes.Equal(b, zeros[:len(b)]) }
