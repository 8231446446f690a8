// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package loadbalancer

// all in a scope matches everything.
const all = "*"

// requirement is what a load balancer asks of a pool.
type requirement struct {
	Network   string
	Project   string
	Namespace string
	Cluster   string
}

// global says that a pool is the one for load balancers that no other pool is for.
func (p *pool) global() bool {
	return len(p.Spec.Selector.Scope) == 1 && p.Spec.Selector.Scope[0] == scope{all, all, all}
}

// matches says that the selector lets in who requires that. In the loose mode a scope without project and guest cluster lets in all.
func (s selector) matches(r requirement, loose bool) bool {
	if s.Network != r.Network {
		return false
	}
	for _, scope := range s.Scope {
		project := fits(scope.Project, r.Project) || loose && scope.Project == ""
		cluster := fits(scope.GuestCluster, r.Cluster) || loose && scope.GuestCluster == ""
		if project && cluster && fits(scope.Namespace, r.Namespace) {
			return true
		}
	}
	return false
}

func fits(scope, required string) bool { return scope == all || required == all || scope == required }

// choose is the pool of the highest priority that lets in who requires that, else the global one; "" if there is none.
func choose(pools []pool, r requirement, loose bool) (name string) {
	var global string
	var priority int64
	for _, p := range pools {
		if p.Labels[labelGlobal] == "true" {
			global = p.Name
			continue
		}
		if p.Spec.Selector.matches(r, loose) && p.Spec.Selector.Priority >= priority {
			name, priority = p.Name, p.Spec.Selector.Priority
		}
	}
	if name == "" {
		return global
	}
	return name
}
