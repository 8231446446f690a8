// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package storageclass

import (
	"context"
	"fmt"
	"regexp"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/objects"
	"github.com/harvester-community/terraform-provider-harvester/internal/session"
	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
	"github.com/harvester-community/terraform-provider-harvester/internal/wait"
)

// Limits of repeating a request that Harvester refuses.
const (
	// patience is how long the default class before may take to give it up, and Harvester to notice.
	patience = 30 * time.Second
	// lag is how long Harvester may take to notice a secret.
	lag = 10 * time.Second
)

// patiently sends a request again while Harvester refuses it for what is about to change: a
// default class that gives it up, a secret that Harvester has not noticed yet.
func patiently(ctx context.Context, s *session.Session, request func() (*storagev1.StorageClass, error)) (*storagev1.StorageClass, error) {
	for began := time.Now(); ; {
		class, err := request()
		holder, waited := defaultHolder(err), time.Since(began)
		switch {
		case holder != "" && waited < patience:
			awaitRelease(ctx, s, holder, patience-waited)
		case secretUnnoticed(err) && waited < lag:
			wait.Pause(ctx, 300*time.Millisecond)
		default:
			return class, explained(err)
		}
		if ctx.Err() != nil {
			return nil, explained(err)
		}
	}
}

// heldBy and unnoticed match refusals of Harvester's webhook (pkg/webhook/resources/storageclass/validator.go).
var (
	heldBy    = regexp.MustCompile(`default storage class (\S+) already exists`)
	unnoticed = regexp.MustCompile(`secret \S+/\S+ not found`)
)

// defaultHolder is the class that is the default and keeps another from being it; "" if
// the error is about something else.
func defaultHolder(err error) string {
	if err == nil {
		return ""
	}
	if match := heldBy.FindStringSubmatch(err.Error()); match != nil {
		return match[1]
	}
	return ""
}

// secretUnnoticed: the secret was there a moment ago, when it was checked.
func secretUnnoticed(err error) bool { return err != nil && unnoticed.MatchString(err.Error()) }

// awaitRelease waits until a class is not the default any more, and a moment for Harvester to notice.
func awaitRelease(ctx context.Context, s *session.Session, name string, limit time.Duration) {
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	_, _ = s.Hub.Until(limited, wait.Target{Resource: api.StorageClasses, Name: name}, func(object *unstructured.Unstructured) (wait.Progress, error) {
		return wait.Progress{Done: object == nil || object.GetAnnotations()[api.AnnotationDefaultClass] != "true"}, nil
	}, wait.Options{})
	wait.Pause(ctx, 300*time.Millisecond)
}

// explained describes the refusal of a second default class; all other errors stay as they are.
func explained(err error) error {
	holder := defaultHolder(err)
	if holder == "" {
		return err
	}
	return &objects.DescribedError{Diagnostics: diag.Diagnostics{diag.NewAttributeErrorDiagnostic(
		path.Root("is_default"), "Another storage class is the default", fmt.Sprintf(
			"Harvester allows one default storage class, and %q is it. %s\n\n%s", holder, tfbase.NothingDone, giveUp(holder)))}}
}
