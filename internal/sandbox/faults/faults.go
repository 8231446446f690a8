// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

// Package faults lets a test ask the sandbox to misbehave for one image or for all of them.
package faults

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
)

// Everything is the key of the fault that applies to every image without one of its own.
const Everything = "*"

// Fault is the misbehaviour asked for. The zero value asks for none.
//
// To add a fault, add a field here, check it in Validate, and read it where it takes effect.
type Fault struct {
	// UploadBytesPerSecond slows an upload down on the wire.
	UploadBytesPerSecond int64 `json:"uploadBytesPerSecond,omitempty"`
	// CutAfterBytes breaks the connection of an upload after so many bytes.
	CutAfterBytes *int64 `json:"cutAfterBytes,omitempty"`
	// AnswerStatus answers an upload with this status instead of passing it on.
	AnswerStatus int `json:"answerStatus,omitempty"`
	// AnswerThenFinish answers an upload with 504 once its body has been read, while the import goes on.
	AnswerThenFinish bool `json:"answerThenFinish,omitempty"`
	// RefuseUploads is how many uploads Longhorn refuses before it has read any of them.
	RefuseUploads int `json:"refuseUploads,omitempty"`
	// FailImport makes Longhorn or CDI fail the import with this message after the bytes have arrived.
	FailImport string `json:"failImport,omitempty"`
	// FailImportTimes is how many imports fail; 0 means all of them.
	FailImportTimes int `json:"failImportTimes,omitempty"`
	// HoldProgress holds an import at this percentage until the fault is cleared.
	HoldProgress *int `json:"holdProgress,omitempty"`
	// CorruptStored damages what Longhorn stores of an import, before it computes the checksum.
	CorruptStored bool `json:"corruptStored,omitempty"`
	// HideChecksum keeps Longhorn from showing the checksum of what it stores.
	HideChecksum bool `json:"hideChecksum,omitempty"`

	// AgentSilent keeps the network agents from setting up a VlanConfig and from taking it down; its key is
	// vlanconfigs/NAME.
	AgentSilent bool `json:"agentSilent,omitempty"`
	// SetupError is why a VlanConfig cannot be set up on any node; its key is vlanconfigs/NAME.
	SetupError string `json:"setupError,omitempty"`
	// RouteConnectivity is what comes of looking for a network's gateway: "DHCP failed", "ping failed" or "false".
	RouteConnectivity string `json:"routeConnectivity,omitempty"`
	// WebhookDown keeps the webhooks of a simulated service from answering about an object; its key is webhooks/NAME.
	WebhookDown bool `json:"webhookDown,omitempty"`
	// Idle keeps the service that works on an object from doing so: kube-vip assigns no address to a load balancer, and
	// the agent of a node does nothing about a device, whose key is devices/NAME.
	Idle bool `json:"idle,omitempty"`
	// Unhealthy makes the backends of a load balancer fail their health check.
	Unhealthy bool `json:"unhealthy,omitempty"`
}

// Validate reports what is wrong with a fault.
func (f Fault) Validate() error {
	switch {
	case f.UploadBytesPerSecond < 0:
		return errors.New("uploadBytesPerSecond must not be negative")
	case f.CutAfterBytes != nil && *f.CutAfterBytes < 0:
		return errors.New("cutAfterBytes must not be negative")
	case f.AnswerStatus != 0 && (f.AnswerStatus < 200 || f.AnswerStatus > 599):
		return fmt.Errorf("answerStatus must be a final HTTP status, not %d", f.AnswerStatus)
	case f.RefuseUploads < 0:
		return errors.New("refuseUploads must not be negative")
	case f.FailImportTimes < 0:
		return errors.New("failImportTimes must not be negative")
	case f.FailImportTimes > 0 && f.FailImport == "":
		return errors.New("failImportTimes needs failImport, the message to fail with")
	case !slices.Contains([]string{"", "DHCP failed", "ping failed", "false"}, f.RouteConnectivity):
		return fmt.Errorf("routeConnectivity must be \"DHCP failed\", \"ping failed\" or \"false\", not %q", f.RouteConnectivity)
	case f.HoldProgress != nil && (*f.HoldProgress < 0 || *f.HoldProgress > 100):
		return fmt.Errorf("holdProgress must be a percentage, not %d", *f.HoldProgress)
	}
	return nil
}

// Switch holds the faults that are on, by image. It is safe for concurrent use.
type Switch struct {
	mu      sync.Mutex
	faults  map[string]Fault
	failed  map[string]int
	refused map[string]int
	changed chan struct{}
}

// NewSwitch returns a switch with no fault on.
func NewSwitch() *Switch {
	return &Switch{faults: map[string]Fault{}, failed: map[string]int{}, refused: map[string]int{}, changed: make(chan struct{})}
}

// Key is the key of an image.
func Key(namespace, name string) string { return namespace + "/" + name }

// For returns the fault that applies to an image.
func (s *Switch) For(namespace, name string) Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.faults[s.keyFor(namespace, name)]
}

// ForKey is For with the key itself, of what is no image.
func (s *Switch) ForKey(key string) Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.faults[key]
}

// Set turns a fault on for a key, in place of the one it had.
func (s *Switch) Set(key string, f Fault) {
	s.change(func() {
		s.faults[key] = f
		s.forget(key)
	})
}

// Clear turns the fault of a key off and reports whether it had one.
func (s *Switch) Clear(key string) (had bool) {
	s.change(func() {
		_, had = s.faults[key]
		delete(s.faults, key)
		s.forget(key)
	})
	return had
}

// ClearAll turns every fault off.
func (s *Switch) ClearAll() {
	s.change(func() {
		clear(s.faults)
		clear(s.failed)
		clear(s.refused)
	})
}

// All returns the faults that are on, by key.
func (s *Switch) All() map[string]Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.faults)
}

// Changed returns a channel that is closed at the next change of any fault. Get it before reading the fault.
func (s *Switch) Changed() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changed
}

// TakeFailure reports whether an import of an image is to fail, and with which message, and counts it if so.
func (s *Switch) TakeFailure(namespace, name string) (message string, fail bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := s.keyFor(namespace, name)
	f := s.faults[key]
	if f.FailImport == "" || (f.FailImportTimes > 0 && s.failed[key] >= f.FailImportTimes) {
		return "", false
	}
	s.failed[key]++
	return f.FailImport, true
}

// TakeRefusal reports whether an upload of an image is to be refused, and counts it if so.
func (s *Switch) TakeRefusal(namespace, name string) (refuse bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := s.keyFor(namespace, name)
	if s.refused[key] >= s.faults[key].RefuseUploads {
		return false
	}
	s.refused[key]++
	return true
}

// AwaitRelease waits until no fault holds an image any more, or for the end of ctx, whose cause it then returns.
func (s *Switch) AwaitRelease(ctx context.Context, namespace, name string) error {
	for {
		changed := s.Changed()
		if s.For(namespace, name).HoldProgress == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return cmp.Or(context.Cause(ctx), ctx.Err())
		case <-changed:
		}
	}
}

func (s *Switch) keyFor(namespace, name string) string {
	if key := Key(namespace, name); hasKey(s.faults, key) {
		return key
	}
	return Everything
}

// forget begins to count anew.
func (s *Switch) forget(key string) {
	delete(s.failed, key)
	delete(s.refused, key)
}

func (s *Switch) change(apply func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	apply()
	close(s.changed)
	s.changed = make(chan struct{})
}

func hasKey[V any](m map[string]V, key string) bool {
	_, has := m[key]
	return has
}
