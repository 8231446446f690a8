// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package session

import (
	"context"
	"slices"
	"sync"
)

// MachineID is a virtual machine's namespace/name.
type MachineID string

// Machines knows which volumes the machines let go of in this walk. Terraform destroys a volume before it
// changes the machine that had it, and changes the machine that gets it in any order, so the one has to know of the other. Its zero value is ready to use.
type Machines struct {
	mu      sync.Mutex
	planned map[MachineID][]string
	news    chan struct{} // closed when a machine is planned
}

// Plan notes that a machine is planned, and which volumes (of its namespace) it will not have any more.
func (m *Machines) Plan(machine MachineID, released []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.planned == nil {
		m.planned = map[MachineID][]string{}
	}
	m.planned[machine] = released
	if m.news != nil {
		close(m.news)
		m.news = nil
	}
}

// Releases says whether a machine is planned to let go of a volume. One that is not planned yet is
// waited for until the context ends.
func (m *Machines) Releases(ctx context.Context, machine MachineID, volume string) bool {
	for {
		released, planned, news := m.look(machine)
		if planned {
			return slices.Contains(released, volume)
		}
		select {
		case <-news:
		case <-ctx.Done():
			return false
		}
	}
}

func (m *Machines) look(machine MachineID) (released []string, planned bool, news <-chan struct{}) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.news == nil {
		m.news = make(chan struct{})
	}
	released, planned = m.planned[machine]
	return released, planned, m.news
}
