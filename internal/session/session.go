// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

// Package session is what one run of a configured provider shares: the connection to the
// cluster, what the run has promised to make, and whose turn it is.
package session

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"k8s.io/apimachinery/pkg/runtime/schema"

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

// Keys of what a run can promise and take turns at, one type for each kind of object.
type (
	// ImageID is an image's namespace/name.
	ImageID string
	// ClassName is a storage class's name.
	ClassName string
	// DisplayName is an image's display name, behind its namespace and a slash.
	DisplayName string
	// ObjectID is an object of any kind; see Object.
	ObjectID string
	// PoolName is an IP pool's name.
	PoolName string
	// BalancerID is a load balancer's namespace/name.
	BalancerID string
	// SettingName is a setting's name.
	SettingName string
	// ScheduleID is a backup schedule's namespace/name.
	ScheduleID string
)

// Session is what a configured provider hands to its resources. Terraform
// configures a provider anew for each walk (plan, apply), so a session lives
// for one of them.
type Session struct {
	Client     *kube.Client
	Hub        *wait.Hub
	PlanChecks PlanChecks

	// Images are those that this walk makes ready, so that what is planned to use one is not
	// refused for its present state. Classes are the storage classes that it makes, Settings those that it
	// gives a value.
	Images   Promises[ImageID]
	Classes  Promises[ClassName]
	Settings Promises[SettingName]
	// ImageFates are what becomes of the images that exist.
	ImageFates Fates[ImageID]
	// Incomplete tells when this walk deleted an upload before Harvester had all of it: time.Time by ImageID.
	Incomplete sync.Map
	// DisplayNames are those of the images that this walk makes ready.
	DisplayNames Fates[DisplayName]
	// Files are those that downloads of this walk write.
	Files Claims

	// Objects are those of any kind that this walk makes.
	Objects Promises[ObjectID]
	// LeavingSchedules are the backup schedules that this walk deletes, so that another one can take their place.
	LeavingSchedules Promises[ScheduleID]

	// Pools are the IP pools that this walk makes or changes. LeavingPools are those that it deletes or gives other ranges, and
	// LeavingBalancers the load balancers that give their address back.
	Pools, LeavingPools Promises[PoolName]
	LeavingBalancers    Promises[BalancerID]

	// Machines are the virtual machines of this walk, and the volumes they let go of.
	Machines Machines

	// Uploads are the places of uploads under way.
	Uploads Slots
	// Clones has a turn for each source image: Harvester fails when several encrypt or decrypt one
	// image at the same time (its issue 7248). Downloads has one for each image that Harvester
	// prepares for a download.
	Clones, Downloads Turns[ImageID]

	// Checking is how long the checks of a plan may take in all, for one object. A cluster that does not answer
	// is no reason to refuse.
	Checking time.Duration
	// silent: the checks of an object have run out of time.
	silent atomic.Bool
	// warned: the walk has said that the cluster cannot be read.
	warned atomic.Bool
}

// DefaultUploads is how many uploads run at a time if the configuration does not say.
const DefaultUploads = 4

// Object is the ObjectID of an object; namespace is "" where there is none.
func Object(resource schema.GroupVersionResource, namespace, name string) ObjectID {
	return ObjectID(resource.GroupResource().String() + "/" + namespace + "/" + name)
}

// Promise notes that this walk makes an object, so that what is planned to use it does not miss it. Without a session
// nothing is noted.
func (s *Session) Promise(resource schema.GroupVersionResource, object interface {
	Key() (namespace, name string)
},
) {
	if namespace, name := object.Key(); s != nil && name != "" {
		s.Objects.Add(Object(resource, namespace, name))
	}
}

// New returns a session over the client, with at most so many uploads at a time.
func New(client *kube.Client, checks PlanChecks, uploads int) *Session {
	return &Session{Client: client, Hub: wait.NewHub(client.Dynamic()), PlanChecks: checks, Uploads: NewSlots(uploads), Checking: 30 * time.Second}
}

// From unpacks what the provider's Configure handed out. It is nil without an error while the
// provider is not configured: during validation, and during a plan in which the provider's own
// arguments are not known yet.
func From(providerData any) (*Session, diag.Diagnostics) {
	if providerData == nil {
		return nil, nil
	}
	if bootstrap, only := providerData.(*Bootstrap); only {
		return nil, bootstrap.unfit()
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

// Soften makes warnings of what a plan found, if plan_checks says so.
func (c PlanChecks) Soften(found ...diag.Diagnostic) diag.Diagnostics {
	if c == ChecksWarn {
		return Warnings(found...)
	}
	return found
}

// Warnings are the findings without the force to end the run.
func Warnings(found ...diag.Diagnostic) (all diag.Diagnostics) {
	for _, one := range found {
		if at, ok := one.(diag.DiagnosticWithPath); ok {
			all.AddAttributeWarning(at.Path(), one.Summary(), one.Detail())
		} else {
			all.AddWarning(one.Summary(), one.Detail())
		}
	}
	return all
}
