// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"crypto/sha512"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"io"
	"math/rand/v2"
	"net/http/httptest"
	"os"
	"path/filepath"
	"syscall"
)

const (
	mib = 1 << 20
	gib = 1 << 30
)

// bench is what the benchmarks share.
type bench struct {
	// rounds is how often to repeat.
	rounds int
	// size is that of the file which is compared with curl, in bytes.
	size int64
	// provider is the program to measure where terraform runs it.
	provider string
	// soak is how many objects of each kind the soak has; 0 is as many as its goals are for.
	soak int
	// takeMarksOff ends the creations that are finished, which keep their marks for a while as those of the provider do.
	takeMarksOff func()
	// dir is a folder of this run.
	dir string
}

// shared is a file system in memory, where there is one: disks must not be what is measured.
const shared = "/dev/shm"

// open makes the folder.
func (b *bench) open() (err error) {
	base := ""
	var room syscall.Statfs_t
	if err := syscall.Statfs(shared, &room); err == nil && room.Bavail*uint64(room.Bsize) > 3*gib {
		base = shared
	}
	b.dir, err = os.MkdirTemp(base, "bench-*")
	return err
}

func (b *bench) close() { _ = os.RemoveAll(b.dir) }

// file makes a file of random bytes. One named .qcow2 begins as such images do, and is none as a whole.
func (b *bench) file(name string, size int64) (path string, err error) {
	path = filepath.Join(b.dir, name)
	file, err := os.Create(path)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	block := make([]byte, mib)
	source := rand.NewChaCha8([32]byte{})
	for written := int64(0); written < size; written += int64(len(block)) {
		_, _ = source.Read(block)
		if written == 0 && filepath.Ext(name) == ".qcow2" {
			copy(block, qcow2Header)
		}
		if _, err := file.Write(block[:min(size-written, mib)]); err != nil {
			return "", err
		}
	}
	return path, nil
}

// sha512Of is the SHA-512 of a file, in hexadecimal.
func sha512Of(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer func() { _ = file.Close() }()
	sum := sha512.New()
	_, err = io.Copy(sum, file)
	return hex.EncodeToString(sum.Sum(nil)), err
}

// qcow2Header is that of an empty disk of 1 GiB: magic, version 2, clusters of 64 KiB.
var qcow2Header = []byte("QFI\xfb\x00\x00\x00\x02" + "\x00\x00\x00\x00\x00\x00\x00\x00" +
	"\x00\x00\x00\x00\x00\x00\x00\x10" + "\x00\x00\x00\x00\x40\x00\x00\x00" + "\x00\x00\x00\x00")

// certificate is that of a test server, in PEM form.
func certificate(server *httptest.Server) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
}

// privateKey is that of a test server, in PEM form.
func privateKey(server *httptest.Server) (string, error) {
	der, err := x509.MarshalPKCS8PrivateKey(server.TLS.Certificates[0].PrivateKey)
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})), err
}
