// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package kube

import (
	"context"
	"maps"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// RecentAll reads all objects of a namespace, in the order of their names, from the list
// that Recent shares.
func (r Resource[T]) RecentAll(ctx context.Context, namespace string) ([]T, error) {
	scope := scope{r.gvr, namespace}
	list := r.recent.of(scope)
	if list == nil { // the first look-up of this scope; the next one gets a list
		list = r.recent.of(scope)
	}
	if list == nil {
		return r.List(ctx, namespace, "")
	}
	found, err := list.read(ctx, r.in(namespace))
	if err != nil {
		r.recent.failed(scope, list, apierrors.IsForbidden(err))
		return nil, err
	}
	objects := make([]T, 0, len(found))
	for _, name := range slices.Sorted(maps.Keys(found)) {
		object, err := decodeStored[T](found[name])
		if err != nil {
			return nil, err
		}
		objects = append(objects, *object)
	}
	return objects, nil
}
