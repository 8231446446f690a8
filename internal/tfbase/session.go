// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

// Package tfbase is what the resources share: the session from the provider
// block, the attributes every kind has, timeouts, import ids and state written
// by the official provider.
package tfbase

import (
	"context"
	"fmt"
	"sync"

	"github.com/hashicorp/terraform-plugin-framework/diag"

	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
	"github.com/harvester-community/terraform-provider-harvester/internal/wait"
)

// PlanChecks says what a refused image means for the plan.
type PlanChecks string

// The values of plan_checks.
const (
	ChecksError PlanChecks = "error"
	ChecksWarn  PlanChecks = "warn"
	ChecksOff   PlanChecks = "off"
)

// Session is what a configured provider hands to its resources. Terraform
// configures a provider anew for each walk (plan, apply), so a session lives
// for one of them.
type Session struct {
	Client     *kube.Client
	Hub        *wait.Hub
	PlanChecks PlanChecks

	// uploads holds a token for each upload under way.
	uploads chan struct{}
	// clones lets one clone of a source image be made at a time.
	clones turns

	mu       sync.Mutex
	promised map[string]bool
}

// DefaultUploads is how many uploads run at a time if the configuration does not say.
const DefaultUploads = 4

// NewSession returns a session over the client, with at most so many uploads at a time.
func NewSession(client *kube.Client, checks PlanChecks, uploads int) *Session {
	return &Session{
		Client: client, Hub: wait.NewHub(client.Dynamic()), PlanChecks: checks,
		uploads: make(chan struct{}, uploads), promised: map[string]bool{},
	}
}

// UploadSlot waits for a place among the uploads. Release gives it back; it may
// be called more than once. The error is the context's.
func (s *Session) UploadSlot(ctx context.Context) (release func(), err error) {
	select {
	case s.uploads <- struct{}{}:
		return sync.OnceFunc(func() { <-s.uploads }), nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Promise records that this walk will make the image (namespace/name) ready, so
// that what is planned to use it is not refused for its present state.
func (s *Session) Promise(imageID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.promised[imageID] = true
}

// Fulfil ends a promise, kept or broken: from now on the image's state counts.
func (s *Session) Fulfil(imageID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.promised, imageID)
}

// Promised says whether this walk will make the image ready.
func (s *Session) Promised(imageID string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.promised[imageID]
}

// SessionFrom unpacks what the provider's Configure handed out. It is nil
// without an error while the provider is not configured: during validation, and
// during a plan in which the provider's own arguments are not known yet.
func SessionFrom(providerData any) (*Session, diag.Diagnostics) {
	if providerData == nil {
		return nil, nil
	}
	session, ok := providerData.(*Session)
	if !ok {
		return nil, diag.Diagnostics{diag.NewErrorDiagnostic("Unexpected provider data",
			fmt.Sprintf("The provider handed over a %T instead of a session. Please report this to the provider's developers.", providerData))}
	}
	return session, nil
}

// Unconfigured is the error for an operation that needs the cluster while the
// provider has no connection.
func Unconfigured() diag.Diagnostic {
	return diag.NewErrorDiagnostic("Provider not configured",
		"The provider's arguments are not known yet, so the cluster cannot be reached. If they come from another resource "+
			"(for example a cluster made in the same run), apply that resource first: terraform apply -target=<its address>.")
}
