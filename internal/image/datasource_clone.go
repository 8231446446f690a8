// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package image

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
	"github.com/harvester-community/terraform-provider-harvester/internal/session"
	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
)

// NewEncryptedDataSource returns the data source harvester_encrypted_image, not yet configured.
func NewEncryptedDataSource() datasource.DataSource {
	return cloneDataSource(api.CryptoEncrypt, "encrypted image", encryptedSchema())
}

// NewDecryptedDataSource returns the data source harvester_decrypted_image, not yet configured.
func NewDecryptedDataSource() datasource.DataSource {
	return cloneDataSource(api.CryptoDecrypt, "decrypted image", decryptedSchema())
}

func cloneDataSource(operation, what string, s schema.Schema) datasource.DataSource {
	return tfbase.DataSource[cloneModel]{
		TypeName: cloneTypes[operation], What: what, Schema: s, Omit: onlyConfigured,
		Look: func(ctx context.Context, s *session.Session, namespace, name string, own *cloneModel) error {
			image, err := kube.For[api.VirtualMachineImage](s.Client, api.Images, api.KindImage).Recent(ctx, namespace, name)
			switch {
			case err != nil:
				return err
			case operationOf(image) != operation:
				return apierrors.NewNotFound(api.Images.GroupResource(), name)
			}
			m := clone{operation}.image(own)
			m.fromAPI(image)
			*own = *clone{operation}.own(&m)
			return nil
		},
	}.New()
}
