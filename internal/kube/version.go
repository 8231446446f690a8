// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package kube

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/harvester-community/terraform-provider-harvester/internal/redact"
)

// Version asks the server for Kubernetes' version, as in v1.33.7, and for the time of its clock; zero if it does not
// tell. An answer that is none is an API status error.
func (c *Client) Version(ctx context.Context) (version string, clock time.Time, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base.JoinPath("version").String(), nil)
	if err != nil {
		return "", time.Time{}, fmt.Errorf("build the request: %w", err)
	}
	resp, err := c.transfers.Do(req)
	if err != nil {
		return "", time.Time{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	clock, _ = http.ParseTime(resp.Header.Get("Date"))
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<16))
	if err != nil {
		return "", clock, err
	}
	if resp.StatusCode != http.StatusOK {
		return "", clock, apierrors.NewGenericServerResponse(resp.StatusCode, http.MethodGet, schema.GroupResource{Resource: "version"}, "", redact.Line(string(body)), 0, true)
	}
	var told struct {
		GitVersion string `json:"gitVersion"`
	}
	if err := json.Unmarshal(body, &told); err != nil || told.GitVersion == "" {
		return "", clock, &AnswerError{Asked: "the version of Kubernetes", Answered: "something else"}
	}
	return redact.Line(told.GitVersion), clock, nil
}
