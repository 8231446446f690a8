// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package volume

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/datasource"

	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
)

// NewDataSource returns the data source harvester_volume, not yet configured.
func NewDataSource() datasource.DataSource {
	return tfbase.DataSource[model]{
		TypeName: Type, What: "volume", Schema: volumeSchema(),
		Look: func(ctx context.Context, session *tfbase.Session, namespace, name string, found *model) error {
			seen, err := newClients(session.Client).look(ctx, namespace, name)
			if err == nil {
				found.read(seen)
			}
			return err
		},
	}.New()
}
