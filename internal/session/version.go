// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package session

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/util/version"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
)

// ServerOlderThan says whether Harvester is known to be older than the version.
// One that does not tell its version (a development build, or missing rights)
// counts as new.
func (s *Session) ServerOlderThan(ctx context.Context, major, minor, patch uint) bool {
	setting, err := kube.For[api.Setting](s.Client, api.Settings, "Setting").Get(ctx, "", api.SettingServerVersion)
	if err != nil {
		return false
	}
	server, err := version.ParseSemantic(setting.Effective())
	if err != nil {
		return false
	}
	return server.LessThan(version.MustParseSemantic(fmt.Sprintf("%d.%d.%d", major, minor, patch)))
}
