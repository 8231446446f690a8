// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package harvester

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
)

//go:embed objects.yaml
var objects []byte

// CreateObjects creates what a Harvester installation has before anybody uses
// it: namespaces, storage classes, nodes and so on. What exists stays as it is.
func CreateObjects(ctx context.Context, config *rest.Config) error {
	creator, err := newCreator(config)
	if err != nil {
		return err
	}
	documents := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(objects), 4096)
	for {
		object := &unstructured.Unstructured{}
		err := documents.Decode(object)
		if errors.Is(err, io.EOF) {
			return creator.createOthers(ctx, config)
		}
		if err != nil {
			return fmt.Errorf("reading the base objects: %w", err)
		}
		if err := creator.create(ctx, object); err != nil {
			return fmt.Errorf("creating %s %s: %w", object.GetKind(), object.GetName(), err)
		}
	}
}

// createOthers creates what does not fit into a file.
func (c *creator) createOthers(ctx context.Context, config *rest.Config) error {
	release, err := release()
	if err != nil {
		return err
	}
	if err := c.create(ctx, release); err != nil {
		return fmt.Errorf("creating the release of Harvester's chart: %w", err)
	}
	return createNodes(ctx, config)
}

// creator creates objects of any kind.
type creator struct {
	client dynamic.Interface
	mapper meta.RESTMapper
}

func newCreator(config *rest.Config) (*creator, error) {
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	kinds, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return nil, err
	}
	return &creator{client, restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(kinds))}, nil
}

// create creates an object and, where the kind keeps it apart, its status.
func (c *creator) create(ctx context.Context, object *unstructured.Unstructured) error {
	kind := object.GroupVersionKind()
	mapping, err := c.mapper.RESTMapping(kind.GroupKind(), kind.Version)
	if err != nil {
		return err
	}
	client := c.client.Resource(mapping.Resource).Namespace(object.GetNamespace())
	created, err := client.Create(ctx, object, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	if err != nil || object.Object["status"] == nil || created.Object["status"] != nil {
		return err
	}
	created.Object["status"] = object.Object["status"]
	_, err = client.UpdateStatus(ctx, created, metav1.UpdateOptions{})
	return err
}
