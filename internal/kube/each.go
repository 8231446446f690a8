// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package kube

import (
	"context"
	"iter"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
)

// pageSize is how many objects one request for a list asks for, as many as kubectl does.
const pageSize = 500

// Selection is which objects Each finds. What is empty selects nothing: without a namespace these are the objects of
// all namespaces, or those that have none.
type Selection struct{ Namespace, Labels, Fields string }

// Each goes through the objects of a kind, page by page, in the order of namespaces and names. The next page is asked for
// when it is needed. It ends with the first error, which is the API's.
func (c *Client) Each(ctx context.Context, gvr schema.GroupVersionResource, selection Selection) iter.Seq2[*unstructured.Unstructured, error] {
	return each(ctx, c.dynamic.Resource(gvr).Namespace(selection.Namespace), metav1.ListOptions{LabelSelector: selection.Labels, FieldSelector: selection.Fields})
}

func each(ctx context.Context, from dynamic.ResourceInterface, options metav1.ListOptions) iter.Seq2[*unstructured.Unstructured, error] {
	options.Limit = pageSize
	return func(yield func(*unstructured.Unstructured, error) bool) {
		seen := map[string]bool{}
		for {
			page, err := from.List(ctx, options)
			switch {
			case apierrors.IsResourceExpired(err) && options.Continue != "": // whoever reads is slow; what was seen is left out below
				options.Continue = ""
				continue
			case err != nil:
				yield(nil, err)
				return
			}
			for i := range page.Items {
				object := &page.Items[i]
				at := object.GetNamespace() + "/" + object.GetName()
				if !seen[at] && !yield(object, nil) {
					return
				}
				seen[at] = true
			}
			if options.Continue = page.GetContinue(); options.Continue == "" {
				return
			}
		}
	}
}
