// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

// Package doctor finds out what is wrong between a machine and a Harvester cluster before the first plan:
// terraform-provider-harvester doctor.
package doctor

import (
	"context"
	"fmt"
	"strings"
	"time"

	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/util/version"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/diagnose"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
)

// Verdict is how a check ends.
type Verdict string

// Verdicts. With a limit the provider works, but not all of it.
const (
	OK      Verdict = "ok"
	Limit   Verdict = "limit"
	Problem Verdict = "problem"
)

// Finding is what one check has found, and what to do about it, if anything.
type Finding struct {
	Subject string
	Verdict Verdict
	Said    string
	Remedy  string
}

// Patience is how long one check may take.
const Patience = 15 * time.Second

// patient is the cluster that is looked at.
type patient struct {
	client    *kube.Client
	namespace string
	// skew is how far the server's clock is ahead of ours, as the address check found it.
	skew  time.Duration
	clock bool // whether it has told its time
}

// checks are all of them. Without an answer to the first two the rest has no meaning.
var checks = []struct {
	subject string
	vital   bool
	look    func(*patient, context.Context) Finding
}{
	{"address", true, (*patient).address},
	{"credentials", true, (*patient).credentials},
	{"Harvester's API", false, (*patient).harvesterAPI},
	{"version", false, (*patient).version},
	{"clock", false, (*patient).clocks},
	{"storage classes", false, (*patient).storageClasses},
	{"rights", false, (*patient).rights},
}

// Examine looks at the cluster, with the rights in that namespace, and reports each finding as soon as it is there.
func Examine(ctx context.Context, client *kube.Client, namespace string, report func(Finding)) {
	p := &patient{client: client, namespace: namespace}
	for _, check := range checks {
		found := p.within(ctx, check.look)
		found.Subject = check.subject
		if report(found); check.vital && found.Verdict == Problem || ctx.Err() != nil {
			return
		}
	}
}

func (p *patient) within(ctx context.Context, look func(*patient, context.Context) Finding) Finding {
	ctx, cancel := context.WithTimeout(ctx, Patience)
	defer cancel()
	return look(p, ctx)
}

// address looks whether something answers, and over a connection that can be trusted.
func (p *patient) address(ctx context.Context) Finding {
	began := time.Now()
	kubernetes, clock, err := p.client.Version(ctx)
	if !clock.IsZero() {
		p.clock, p.skew = true, time.Until(clock).Round(time.Second)
	}
	switch {
	case kube.Answered(err): // somebody is there; whether we may come in is another question
		return Finding{Verdict: OK, Said: fmt.Sprintf("%s answers", p.client.Host())}
	case err != nil:
		return troubled("reach", err)
	}
	return Finding{Verdict: OK, Said: fmt.Sprintf("%s answers after %d ms: Kubernetes %s", p.client.Host(), time.Since(began).Milliseconds(), kubernetes)}
}

func (p *patient) credentials(ctx context.Context) Finding {
	name, err := whoAmI(ctx, p.client)
	if err != nil {
		return troubled("log in to", err)
	}
	return Finding{Verdict: OK, Said: "accepted, as " + name}
}

func (p *patient) harvesterAPI(ctx context.Context) Finding {
	if err := p.client.ProbeHarvesterAPI(ctx); err != nil {
		return troubled("use Harvester's own API of", err)
	}
	return Finding{Verdict: OK, Said: "served: images can be uploaded and downloaded"}
}

// Versions of Harvester: the tests run with tested; older ones than known are not known to work.
var (
	tested = version.MustParseSemantic("1.8.0")
	next   = version.MustParseSemantic("1.9.0-0")
	known  = version.MustParseSemantic("1.5.0")
)

func (p *patient) version(ctx context.Context) Finding {
	setting, err := kube.For[api.Setting](p.client, api.Settings, "Setting").Get(ctx, "", api.SettingServerVersion)
	if err != nil {
		found := troubled("read the version of", err)
		found.Verdict = Limit
		return found
	}
	return ofVersion(setting.Effective())
}

func ofVersion(text string) Finding {
	server, err := version.ParseSemantic(text)
	said := "Harvester " + text
	switch {
	case err != nil:
		return Finding{Verdict: Limit, Said: said + " is no release, so what it can do is not known"}
	case server.LessThan(known):
		return Finding{Verdict: Problem, Said: said + " is older than what this provider knows", Remedy: "Upgrade Harvester to 1.8."}
	case server.LessThan(tested):
		return Finding{Verdict: Limit, Said: said + " is known, but the provider's tests run with 1.8"}
	case !server.LessThan(next):
		return Finding{Verdict: Limit, Said: said + " is newer than what the provider's tests run with, which is 1.8"}
	}
	return Finding{Verdict: OK, Said: said}
}

// skewed is how far clocks may be apart. A certificate or a token that was just made is not valid yet on a clock that is behind.
const skewed = 30 * time.Second

func (p *patient) clocks(context.Context) Finding {
	switch {
	case !p.clock:
		return Finding{Verdict: Limit, Said: "the server does not tell its time"}
	case p.skew.Abs() > skewed:
		return Finding{
			Verdict: Problem, Said: fmt.Sprintf("the server's clock is %s %s", p.skew.Abs(), map[bool]string{true: "ahead", false: "behind"}[p.skew > 0]),
			Remedy: "Set both clocks by NTP: tokens, certificates and the waiting for what was just made depend on them.",
		}
	}
	return Finding{Verdict: OK, Said: "the same here and there, within " + skewed.String()}
}

func (p *patient) storageClasses(ctx context.Context) Finding {
	classes, err := kube.For[storagev1.StorageClass](p.client, api.StorageClasses, "StorageClass").List(ctx, "", "")
	if err != nil {
		found := troubled("read the storage classes of", err)
		found.Verdict = Limit
		return found
	}
	for i := range classes {
		if classes[i].Annotations[api.AnnotationDefaultClass] == "true" {
			return Finding{Verdict: OK, Said: "the default is " + classes[i].Name}
		}
	}
	return Finding{
		Verdict: Problem, Said: "none is the default, so images and volumes need one named",
		Remedy: "Make one the default in Harvester (Advanced, Storage Classes), or set storage_class_name everywhere.",
	}
}

// troubled is what an error means.
func troubled(doing string, err error) Finding {
	found := diagnose.API(doing, "cluster", "", err)
	said, remedy, _ := strings.Cut(found.Detail(), "\n\n")
	return Finding{Verdict: Problem, Said: said, Remedy: remedy}
}
