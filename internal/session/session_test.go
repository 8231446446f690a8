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
