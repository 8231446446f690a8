// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package session

import "sync"

// Promises are the objects of one kind that a walk will make. Its zero value is ready to use.
type Promises[K ~string] struct {
	mu   sync.Mutex
	made map[K]bool
}

// Add promises an object.
func (p *Promises[K]) Add(key K) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.made == nil {
		p.made = map[K]bool{}
	}
	p.made[key] = true
}

// End ends a promise, kept or broken: from now on the object as it is counts.
func (p *Promises[K]) End(key K) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.made, key)
}

// Has says whether the walk will make the object.
func (p *Promises[K]) Has(key K) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.made[key]
}
