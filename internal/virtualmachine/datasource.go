// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package virtualmachine

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/harvester-community/terraform-provider-harvester/internal/session"
	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
)

// NewDataSource returns the data source harvester_virtualmachine, not yet configured.
func NewDataSource() datasource.DataSource {
	return tfbase.DataSource[model]{
		TypeName: Type, What: "virtual machine", Schema: vmSchema(),
		Look: func(ctx context.Context, s *session.Session, namespace, name string, found *model) error {
			r := Resource{}
			r.connect(s)
			found.Namespace, found.Name = types.StringValue(namespace), types.StringValue(name)
			seen, err := r.look(ctx, found)
			if err != nil {
				return err
			}
			live := topologyOf(withTemplate(seen.vm))
			problems := found.read(ctx, seen).Errors()
			found.CPUSockets, found.CPUThreads = types.Int64Value(live.sockets), types.Int64Value(live.threads)
			for _, problem := range problems {
				return &failedError{problem.Summary() + ": " + problem.Detail()}
			}
			return nil
		},
	}.New()
}
