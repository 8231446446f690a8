// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/harvester-community/terraform-provider-harvester/internal/imagestate"
)

// Every state has its box, and the drawing is well-formed.
func TestDraw(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	if err := draw(&out); err != nil {
		t.Fatal(err)
	}
	for _, state := range imagestate.States() {
		if !strings.Contains(out.String(), ">"+string(state)+"</text>") {
			t.Errorf("%s has no box", state)
		}
	}
	decoder := xml.NewDecoder(strings.NewReader(out.String()))
	for {
		if _, err := decoder.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

// Only an image that is ready allows anything.
func TestAllowed(t *testing.T) {
	t.Parallel()
	for _, state := range imagestate.States() {
		image := imagestate.Image{State: state}
		if got := len(allowed(image)) > 0; got != image.Ready() {
			t.Errorf("%s allows %q", state, allowed(image))
		}
	}
}
