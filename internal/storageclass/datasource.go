// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package storageclass

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	storagev1 "k8s.io/api/storage/v1"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
)

// NewDataSource returns the data source harvester_storageclass, not yet configured.
func NewDataSource() datasource.DataSource {
	return tfbase.DataSource[model]{
		TypeName: Type, What: "storage class", Schema: classSchema(),
		Look: func(ctx context.Context, session *tfbase.Session, _, name string, found *model) error {
			class, err := kube.For[storagev1.StorageClass](session.Client, api.StorageClasses, kind).Get(ctx, "", name)
			if err == nil {
				_ = found.read(ctx, class) // what the server has always fits
			}
			return err
		},
	}.New()
}
