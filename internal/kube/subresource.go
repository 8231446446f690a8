// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package kube

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// PutSubresource asks KubeVirt to do something to an object, such as "restart" to a
// machine. These subresources live in a group of their own and answer without
// a body, which the dynamic client takes for an error. Errors are those of
// k8s.io/apimachinery/pkg/api/errors. It is sent again while the answer is one of trouble that passes, but not
// when there is none: a restart that was heard would be done twice.
func (c *Client) PutSubresource(ctx context.Context, gvr schema.GroupVersionResource, namespace, name, subresource string) error {
	defer c.recent.forget(scope{gvr, namespace})
	_, err := retry(ctx, unheeded, func(ctx context.Context) (any, error) { return nil, c.put(ctx, gvr, namespace, name, subresource) })
	return err
}

func (c *Client) put(ctx context.Context, gvr schema.GroupVersionResource, namespace, name, subresource string) error {
	address := c.base.JoinPath("apis", "subresources."+gvr.Group, gvr.Version, "namespaces", namespace, gvr.Resource, name, subresource)
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, address.String(), strings.NewReader("{}"))
	if err != nil {
		return fmt.Errorf("build the request: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := c.transfers.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<16))
	if resp.StatusCode < http.StatusMultipleChoices {
		return nil
	}
	return answered(gvr, name, resp.StatusCode, body, err)
}

// answered turns an error answer into the API's own error, if it is one.
func answered(gvr schema.GroupVersionResource, name string, code int, body []byte, readErr error) error {
	var status metav1.Status
	if json.Unmarshal(body, &status) == nil && status.Status == metav1.StatusFailure {
		return apierrors.FromObject(&status)
	}
	text := strings.TrimSpace(string(body))
	return errors.Join(apierrors.NewGenericServerResponse(code, "put", gvr.GroupResource(), name, text, 0, true), readErr)
}
