// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package devices

import (
	"context"
	"fmt"
	"strings"
	"time"

	extv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/client/clientset/clientset"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/rest"
)

// Limits of the wait for the definitions.
const (
	establishTimeout = 2 * time.Minute
	establishPoll    = 50 * time.Millisecond
)

// Install makes the definitions of the kinds and returns when they are served. They come with the add-on, so they are not
// among those of Harvester. Their objects may have any content.
func Install(ctx context.Context, config *rest.Config) error {
	client, err := clientset.NewForConfig(config)
	if err != nil {
		return err
	}
	definitions := client.ApiextensionsV1().CustomResourceDefinitions()
	for _, kind := range []string{deviceKind.Kind, claimKind.Kind, cardKind.Kind} {
		if _, err := definitions.Create(ctx, definition(kind), metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
			return fmt.Errorf("installing the definition of %s: %w", kind, err)
		}
	}
	for _, kind := range []string{deviceKind.Kind, claimKind.Kind, cardKind.Kind} {
		err := wait.PollUntilContextTimeout(ctx, establishPoll, establishTimeout, true, func(ctx context.Context) (bool, error) {
			current, err := definitions.Get(ctx, definition(kind).Name, metav1.GetOptions{})
			return err == nil && established(current), err
		})
		if err != nil {
			return fmt.Errorf("waiting for the definition of %s: %w", kind, err)
		}
	}
	return nil
}

func established(definition *extv1.CustomResourceDefinition) bool {
	for _, condition := range definition.Status.Conditions {
		if condition.Type == extv1.Established {
			return condition.Status == extv1.ConditionTrue
		}
	}
	return false
}

func definition(kind string) *extv1.CustomResourceDefinition {
	yes, singular := true, strings.ToLower(kind)
	return &extv1.CustomResourceDefinition{
		ObjectMeta: metav1.ObjectMeta{Name: singular + "s." + Group},
		Spec: extv1.CustomResourceDefinitionSpec{
			Group: Group, Scope: extv1.ClusterScoped,
			Names: extv1.CustomResourceDefinitionNames{Plural: singular + "s", Singular: singular, Kind: kind, ListKind: kind + "List"},
			Versions: []extv1.CustomResourceDefinitionVersion{{
				Name: version.Version, Served: true, Storage: true,
				Subresources: &extv1.CustomResourceSubresources{Status: &extv1.CustomResourceSubresourceStatus{}},
				Schema:       &extv1.CustomResourceValidation{OpenAPIV3Schema: &extv1.JSONSchemaProps{Type: "object", XPreserveUnknownFields: &yes}},
			}},
		},
	}
}
