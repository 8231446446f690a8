// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

// Command makeimage writes the qcow2 image that the demo uploads.
package main

import (
	"bufio"
	"flag"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/harvester-community/terraform-provider-harvester/internal/qcow2img"
)

const mib = 1 << 20

func main() {
	log.SetFlags(0)
	data := flag.Int64("data", 320, "MiB of data in the image")
	disk := flag.Int64("disk", 2048, "MiB of the disk the image holds")
	seed := flag.Uint64("seed", 1, "images of different seeds hold different data")
	flag.Parse()
	if flag.NArg() != 1 {
		log.Fatal("usage: makeimage [flags] FILE")
	}
	image := qcow2img.Image{VirtualSize: *disk * mib, DataSize: *data * mib, Seed: *seed}
	if err := write(flag.Arg(0), image); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s: qcow2, %d MiB in the file, a disk of %d MiB\n", filepath.Base(flag.Arg(0)), image.FileSize()/mib, *disk)
}

func write(path string, image qcow2img.Image) (err error) {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	buffered := bufio.NewWriterSize(file, mib)
	if _, err := image.WriteTo(buffered); err != nil {
		_ = file.Close()
		return err
	}
	if err := buffered.Flush(); err != nil {
		_ = file.Close()
		return err
	}
	return file.Close()
}
