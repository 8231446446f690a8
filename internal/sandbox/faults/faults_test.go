// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package faults

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestOwnFaultComesBeforeTheOneForEverything(t *testing.T) {
	s := NewSwitch()
	s.Set(Everything, Fault{AnswerStatus: 500})
	s.Set(Key("default", "a"), Fault{AnswerStatus: 503})

	if got := s.For("default", "a").AnswerStatus; got != 503 {
		t.Errorf("own fault: %d", got)
	}
	if got := s.For("default", "b").AnswerStatus; got != 500 {
		t.Errorf("fault of everything: %d", got)
	}
	s.ClearAll()
	if got := s.For("default", "a"); got != (Fault{}) {
		t.Errorf("cleared fault: %+v", got)
	}
}

func TestTakeFailureCounts(t *testing.T) {
	s := NewSwitch()
	s.Set(Everything, Fault{FailImport: "disk full", FailImportTimes: 2})
	for i, want := range []bool{true, true, false} {
		if _, fail := s.TakeFailure("default", "a"); fail != want {
			t.Errorf("import %d: fail = %v, want %v", i, fail, want)
		}
	}
	s.Set(Everything, Fault{FailImport: "disk full"})
	for range 3 {
		if message, fail := s.TakeFailure("default", "a"); !fail || message != "disk full" {
			t.Errorf("endless failure: %q, %v", message, fail)
		}
	}
}

func TestTakeRefusalCounts(t *testing.T) {
	s := NewSwitch()
	if s.TakeRefusal("default", "a") {
		t.Error("an upload was refused without a fault")
	}
	for range 2 { // set again, it counts anew
		s.Set("default/a", Fault{RefuseUploads: 2})
		for i, want := range []bool{true, true, false} {
			if refuse := s.TakeRefusal("default", "a"); refuse != want {
				t.Errorf("upload %d: refused %v, want %v", i, refuse, want)
			}
		}
	}
}

func TestAwaitReleaseContinuesAtOnce(t *testing.T) {
	s := NewSwitch()
	s.Set("default/a", Fault{HoldProgress: new(40)})
	released := make(chan error, 1)
	go func() { released <- s.AwaitRelease(context.Background(), "default", "a") }()

	s.Set("default/other", Fault{})
	select {
	case err := <-released:
		t.Log(err)
		t.Fatal("another image's fault released the hold")
	case <-time.After(20 * time.Millisecond):
	}
	s.Clear("default/a")
	if err := <-released; err != nil {
		t.Fatal(err)
	}
}

func TestAwaitReleaseEndsWithItsContext(t *testing.T) {
	s := NewSwitch()
	s.Set(Everything, Fault{HoldProgress: new(0)})
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := s.AwaitRelease(ctx, "default", "a"); err == nil {
		t.Error("no error from an ended context")
	}
}

func TestServeHTTP(t *testing.T) {
	s := NewSwitch()
	for _, step := range []struct {
		method, path, body string
		status             int
		answer             string
	}{
		{"PUT", "/sandbox/faults/default/a", `{"holdProgress":40}`, 200, `{"holdProgress":40}`},
		{"PUT", "/sandbox/faults/*", `{"answerStatus":503}`, 200, `{"answerStatus":503}`},
		{"GET", "/sandbox/faults", "", 200, `{"*":{"answerStatus":503},"default/a":{"holdProgress":40}}`},
		{"PUT", "/sandbox/faults/default/a", `{"nope":1}`, 400, `fault of default/a: json: unknown field "nope"`},
		{"PUT", "/sandbox/faults/default/a", `{"holdProgress":140}`, 400, `holdProgress must be a percentage, not 140`},
		{"PUT", "/sandbox/faults/default/a", `{`, 400, `unexpected EOF`},
		{"PUT", "/sandbox/faults/default/a", `{}{}`, 400, `more than one JSON value`},
		{"DELETE", "/sandbox/faults/default/a", "", 204, ""},
		{"DELETE", "/sandbox/faults/default/a", "", 404, "default/a has no fault"},
		{"DELETE", "/sandbox/faults", "", 204, ""},
		{"GET", "/sandbox/faults", "", 200, `{}`},
		{"POST", "/sandbox/faults", "", 405, ""},
	} {
		answer := httptest.NewRecorder()
		s.ServeHTTP(answer, httptest.NewRequest(step.method, step.path, strings.NewReader(step.body)))
		if answer.Code != step.status || !strings.Contains(answer.Body.String(), step.answer) {
			t.Errorf("%s %s %s: %d %s, want %d %s", step.method, step.path, step.body, answer.Code, answer.Body, step.status, step.answer)
		}
	}
}
