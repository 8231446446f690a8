// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

// Package storageclass is the resource and data source harvester_storageclass: how and where the data of
// volumes and images are stored, encrypted or not.
package storageclass

import (
	"context"
	"slices"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/encryption"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
	"github.com/harvester-community/terraform-provider-harvester/internal/session"
	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
)

// Type is the name of the resource and of its data source.
const Type = "harvester_storageclass"

const kindClass = "StorageClass"

// Kind declares them.
var Kind = &tfbase.Kind[model, *model, storagev1.StorageClass, *storagev1.StorageClass]{
	TypeName: Type,
	One:      "a storage class", Short: "class",
	Resource: api.StorageClasses, APIKind: kindClass,
	Schema: classSchema(), Limits: limits,
	Validate: validate,
	Plan:     plan,
	Check:    check,
	Replaces: (*model).replaces,
	Intent: func(class *storagev1.StorageClass) []any {
		return []any{class.Provisioner, class.Parameters, class.ReclaimPolicy, class.VolumeBindingMode, class.AllowedTopologies}
	},
	Send:     patiently,
	Offers:   offers,
	ListNote: "So are the classes that Harvester makes for images, and those that Harvester and Longhorn bring.",
	Delete: func(d *tfbase.Deleting[*model, *storagev1.StorageClass]) {
		d.Request = func(ctx context.Context, class *storagev1.StorageClass) diag.Diagnostics {
			return requestDeletion(ctx, d.Session, d.Identity, class)
		}
	},
}

// given are the classes that Harvester and Longhorn bring.
var given = []string{"harvester-longhorn", "vmstate-persistence", "longhorn", "longhorn-static"}

// offers leaves them out, and the classes of images.
func offers(_ context.Context, _ *session.Session, object *unstructured.Unstructured) (bool, error) {
	class, err := kube.Decode[storagev1.StorageClass](object)
	if err != nil {
		return false, err
	}
	return !slices.Contains(given, class.Name) && class.Parameters["backingImage"] == "", nil
}

func classesOf(s *session.Session) kube.Resource[storagev1.StorageClass] {
	return kube.For[storagev1.StorageClass](s.Client, api.StorageClasses, kindClass)
}

// validate checks the parameters for encryption against one another.
func validate(_ context.Context, config *model) (diags diag.Diagnostics) {
	if !tfbase.Known(config.Parameters) {
		return nil
	}
	if finding := encryption.CheckParameters(config.Name.ValueString(), config.parameters()); finding != nil {
		diags.AddAttributeError(path.Root("parameters"), finding.Summary, finding.Reason+"\n\n"+finding.Remedy)
	}
	return diags
}

// plan promises the class to what refers to it.
func plan(_ context.Context, p *tfbase.Planning[*model]) diag.Diagnostics {
	if p.Session != nil && !p.Plan.Name.IsUnknown() {
		p.Session.Classes.Add(session.ClassName(p.Plan.Name.ValueString()))
	}
	return nil
}
