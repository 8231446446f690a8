// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package session

import "sync"

// Claims knows which files the resources of a walk are planned to write. Its zero value is ready to use.
type Claims struct {
	mu sync.Mutex
	by map[string][]Claim
}

// Claim is a resource that wants a file. Terraform does not tell a provider the address of a resource, so its whole
// configuration stands for it.
type Claim struct {
	// What tells the resource in messages.
	What string
	// Config is its configuration.
	Config string
	// New says that the resource is to be made, as is one in the second half of its replacement.
	New bool
}

// Take claims a file and returns the claim of another resource, if there is one. A resource that is replaced is planned twice,
// once as it is and once as a new one.
func (c *Claims) Take(path string, claim Claim) (other *Claim) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.by == nil {
		c.by = map[string][]Claim{}
	}
	for _, earlier := range c.by[path] {
		if earlier.Config != claim.Config || earlier.New == claim.New {
			other = &earlier
		}
	}
	c.by[path] = append(c.by[path], claim)
	return other
}
