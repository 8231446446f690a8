// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package session

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

func TestPromises(t *testing.T) {
	t.Parallel()
	s := &Session{}
	s.Images.Add("default/a")
	if !s.Images.Has("default/a") || s.Images.Has("default/b") || s.Classes.Has("default/a") {
		t.Error("promises are mixed up")
	}
	if s.Images.End("default/a"); s.Images.Has("default/a") {
		t.Error("the promise did not end")
	}
}

func TestSoften(t *testing.T) {
	t.Parallel()
	at := path.Root("size")
	plain, located := diag.NewErrorDiagnostic("Wrong", ""), diag.NewAttributeErrorDiagnostic(at, "Too small", "")
	if got := ChecksError.Soften(plain, located); got.ErrorsCount() != 2 {
		t.Errorf("errors became %v", got)
	}
	got := ChecksWarn.Soften(plain, located)
	second, ok := got[1].(diag.DiagnosticWithPath)
	if got.HasError() || got.WarningsCount() != 2 || !ok || !second.Path().Equal(at) {
		t.Errorf("warnings became %v", got)
	}
}

// Who asks for a machine's plan waits for it, in whichever order the two come.
func TestMachines(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &Session{}
		s.Machines.Plan("default/early", []string{"a"})
		go func() {
			time.Sleep(time.Second)
			s.Machines.Plan("default/other", []string{"a", "c"})
			time.Sleep(time.Second)
			s.Machines.Plan("default/late", []string{"b"})
		}()
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		for _, test := range []struct {
			machine MachineID
			volume  string
			want    bool
		}{
			{"default/early", "a", true}, {"default/early", "b", false}, {"default/late", "b", true}, {"default/late", "c", false}, {"default/never", "a", false},
		} {
			if got := s.Machines.Releases(ctx, test.machine, test.volume); got != test.want {
				t.Errorf("%s releases %s: %t", test.machine, test.volume, got)
			}
		}
	})
}

// A cluster that cannot be read is told once; a right that is missing is the check's own business.
func TestUnchecked(t *testing.T) {
	t.Parallel()
	s := &Session{}
	broken := errors.New("connection refused")
	forbidden := apierrors.NewForbidden(schema.GroupResource{Resource: "secrets"}, "a", nil)
	if got := s.Unchecked(forbidden); len(got) != 0 {
		t.Errorf("a missing right: %v", got)
	}
	if got := s.Unchecked(context.Canceled); len(got) != 0 {
		t.Errorf("an interrupted run: %v", got)
	}
	if got := s.Unchecked(broken); len(got) != 1 || got.HasError() || !strings.Contains(got[0].Detail(), "connection refused") {
		t.Errorf("the first time: %v", got)
	}
	if got := append(s.Unchecked(broken), s.MustCheck(forbidden)...); len(got) != 0 {
		t.Errorf("the second time: %v", got)
	}
	if got := (&Session{}).MustCheck(forbidden); len(got) != 1 || got.HasError() {
		t.Errorf("what has to be readable: %v", got)
	}
}

// What takes too long is left out, with a warning; what was found by then counts.
func TestWithin(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		finding := diag.Diagnostics{diag.NewErrorDiagnostic("Found", "")}
		quick := func(context.Context) diag.Diagnostics { return finding }
		silent := func(ctx context.Context) diag.Diagnostics {
			<-ctx.Done()
			return finding
		}
		s := &Session{Checking: 30 * time.Second}
		if got := s.Within(t.Context(), quick); len(got) != 1 {
			t.Errorf("in time: %v", got)
		}
		for i, want := range []time.Duration{30 * time.Second, 3 * time.Second} {
			begun := time.Now()
			got := s.Within(t.Context(), silent)
			if took := time.Since(begun); took != want {
				t.Errorf("look %d took %s, want %s", i, took, want)
			}
			if len(got) != 2-i || got[0].Summary() != "Found" || i == 0 && (got[1].Severity() != diag.SeverityWarning || !strings.Contains(got[1].Detail(), "did not answer in time")) {
				t.Errorf("look %d found %v", i, got)
			}
		}
		interrupted, cancel := context.WithCancel(t.Context())
		cancel()
		if got := (&Session{Checking: time.Minute}).Within(interrupted, silent); len(got) != 1 {
			t.Errorf("an interrupted run: %v", got)
		}
		if got := (*Session)(nil).Within(t.Context(), quick); len(got) != 1 {
			t.Errorf("without a session: %v", got)
		}
	})
}

func TestObjects(t *testing.T) {
	t.Parallel()
	s := &Session{}
	secrets := schema.GroupVersionResource{Version: "v1", Resource: "secrets"}
	keys := schema.GroupVersionResource{Group: "harvesterhci.io", Version: "v1beta1", Resource: "keypairs"}
	s.Promise(secrets, found{"default", "a"})
	s.Promise(secrets, found{"default", ""}) // not known yet
	(*Session)(nil).Promise(secrets, found{"default", "b"})
	if !s.Objects.Has(Object(secrets, "default", "a")) || s.Objects.Has(Object(keys, "default", "a")) || s.Objects.Has(Object(secrets, "default", "")) {
		t.Error("objects are mixed up")
	}
}

type found struct{ namespace, name string }

func (f found) Key() (namespace, name string) { return f.namespace, f.name }
