// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package sshkey

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/datasource"

	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
)

// NewDataSource returns the data source harvester_ssh_key, not yet configured.
func NewDataSource() datasource.DataSource {
	return tfbase.DataSource[model]{
		TypeName: Type, What: "SSH key", Schema: keySchema(),
		Look: func(ctx context.Context, session *tfbase.Session, namespace, name string, m *model) error {
			pair, err := keysOf(session).Recent(ctx, namespace, name)
			if err == nil {
				m.fromAPI(pair)
			}
			return err
		},
	}.New()
}
