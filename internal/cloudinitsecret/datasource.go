// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package cloudinitsecret

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/datasource"

	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
)

// NewDataSource returns the data source harvester_cloudinit_secret, not yet configured.
func NewDataSource() datasource.DataSource {
	return tfbase.DataSource[model]{
		TypeName: Type, What: "cloud-init secret", Schema: secretSchema(),
		Omit: []string{"user_data_wo_version", "network_data_wo_version"},
		Look: func(ctx context.Context, session *tfbase.Session, namespace, name string, m *model) error {
			// Not Recent, which may list all secrets of the namespace.
			secret, err := secretsOf(session).Get(ctx, namespace, name)
			if err == nil {
				m.fromAPI(secret)
			}
			return err
		},
	}.New()
}
