// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package virtualmachine

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/runtime"
	kubevirtv1 "kubevirt.io/api/core/v1"
)

// patch sends what differs between two versions of a machine, and returns what came of it.
func (r *Resource) patch(ctx context.Context, live, desired *kubevirtv1.VirtualMachine) (*kubevirtv1.VirtualMachine, error) {
	patch, err := changes(live, desired)
	if err != nil || len(patch) == 0 {
		return live, err
	}
	return r.machines.Patch(ctx, live.Namespace, live.Name, patch)
}

// changes is the merge patch from one version of a machine to another; empty if they are the same.
func changes(live, desired *kubevirtv1.VirtualMachine) (map[string]any, error) {
	was, err := runtime.DefaultUnstructuredConverter.ToUnstructured(live)
	if err != nil {
		return nil, fmt.Errorf("encode the machine: %w", err)
	}
	is, err := runtime.DefaultUnstructuredConverter.ToUnstructured(desired)
	if err != nil {
		return nil, fmt.Errorf("encode the machine: %w", err)
	}
	patch := difference(was, is)
	if len(patch) == 0 {
		return nil, nil
	}
	// Lists are replaced whole, so nobody may have changed them since.
	metadata, _ := patch["metadata"].(map[string]any)
	if metadata == nil {
		metadata = map[string]any{}
		patch["metadata"] = metadata
	}
	metadata["resourceVersion"] = live.ResourceVersion
	return patch, nil
}

// difference is the JSON merge patch from one object to another.
func difference(was, is map[string]any) map[string]any {
	patch := map[string]any{}
	for key := range was {
		if _, kept := is[key]; !kept {
			patch[key] = nil
		}
	}
	for key, value := range is {
		old, had := was[key]
		if had && equality.Semantic.DeepEqual(old, value) {
			continue
		}
		oldMap, wasMap := old.(map[string]any)
		newMap, isMap := value.(map[string]any)
		if wasMap && isMap {
			patch[key] = difference(oldMap, newMap)
			continue
		}
		patch[key] = value
	}
	return patch
}
