// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package objectstore

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestStore(t *testing.T) {
	store := New()
	ask := func(method, target, body, key string) (int, string) {
		request := httptest.NewRequest(method, target, strings.NewReader(body))
		request.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+key+"/20260101/us/s3/aws4_request")
		recorder := httptest.NewRecorder()
		store.ServeHTTP(recorder, request)
		return recorder.Code, recorder.Body.String()
	}
	for _, step := range []struct {
		method, target, body, key string
		status                    int
		want                      string // part of the answer
	}{
		{http.MethodGet, "/s3/b?prefix=", "", "other", http.StatusForbidden, "InvalidAccessKeyId"},
		{http.MethodGet, "/s3/missing-b?prefix=", "", AccessKey, http.StatusNotFound, "NoSuchBucket"},
		{http.MethodGet, "/s3/b?prefix=", "", AccessKey, http.StatusOK, "<Name>b</Name>"},
		{http.MethodGet, "/s3/b/a/1", "", AccessKey, http.StatusNotFound, "NoSuchKey"},
		{http.MethodPut, "/s3/b/a/1", "one", AccessKey, http.StatusOK, ""},
		{http.MethodPut, "/s3/b/2", "two", AccessKey, http.StatusOK, ""},
		{http.MethodPut, "/s3/c/3", "three", AccessKey, http.StatusOK, ""},
		{http.MethodGet, "/s3/b/a/1", "", AccessKey, http.StatusOK, "one"},
		{http.MethodGet, "/s3/b?prefix=&delimiter=/", "", AccessKey, http.StatusOK, "<Key>2</Key>"},
		{http.MethodGet, "/s3/b?prefix=&delimiter=/", "", AccessKey, http.StatusOK, "<CommonPrefixes><Prefix>a/</Prefix></CommonPrefixes>"},
		{http.MethodGet, "/s3/b?prefix=a/", "", AccessKey, http.StatusOK, "<Key>a/1</Key>"},
		{http.MethodDelete, "/s3/b/a/1", "", AccessKey, http.StatusNoContent, ""},
		{http.MethodHead, "/s3/b/a/1", "", AccessKey, http.StatusNotFound, ""},
	} {
		status, body := ask(step.method, step.target, step.body, step.key)
		if status != step.status || !strings.Contains(body, step.want) || strings.Contains(body, "<Key>3</Key>") {
			t.Errorf("%s %s: got %d %s", step.method, step.target, status, body)
		}
	}
}
