// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"errors"
	"os"
	"regexp"
	"strconv"
	"syscall"
)

// bytesRead says how much this process read while the action ran if it read the
// file at all (other reads are included), and 0 if it did not.
func bytesRead(path string, action func() error) (float64, error) {
	events, err := syscall.InotifyInit1(syscall.IN_NONBLOCK | syscall.IN_CLOEXEC)
	if err != nil {
		return 0, err
	}
	defer func() { _ = syscall.Close(events) }()
	if _, err := syscall.InotifyAddWatch(events, path, syscall.IN_ACCESS); err != nil {
		return 0, err
	}
	before, err := readSoFar()
	if err != nil {
		return 0, err
	}
	if err := action(); err != nil {
		return 0, err
	}
	after, err := readSoFar()
	if err != nil {
		return 0, err
	}
	_, err = syscall.Read(events, make([]byte, 4096))
	switch {
	case errors.Is(err, syscall.EAGAIN):
		return 0, nil
	case err != nil:
		return 0, err
	}
	return after - before, nil
}

var readChars = regexp.MustCompile(`rchar: (\d+)`)

// readSoFar counts the bytes that this process ever read, from anywhere.
func readSoFar() (float64, error) {
	io, err := os.ReadFile("/proc/self/io")
	if err != nil {
		return 0, err
	}
	found := readChars.FindSubmatch(io)
	if found == nil {
		return 0, errors.New("/proc/self/io tells no rchar")
	}
	return strconv.ParseFloat(string(found[1]), 64)
}
