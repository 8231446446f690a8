// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package admission

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/harvester-community/terraform-provider-harvester/internal/sandbox/faults"
)

// Refusals have the status 500 and the text of Harvester's libraries; a fault makes the webhook unreachable.
func TestService(t *testing.T) {
	t.Parallel()
	service := &Service{Faults: faults.NewSwitch(), Validating: Webhook{Path: "/validation"}, Mutating: Webhook{Path: "/mutation", Resources: []Resource{{
		Group: "example.com", Name: "things",
		Judge: func(_ context.Context, request *admissionv1.AdmissionRequest) ([]Operation, error) {
			if request.Name == "bad" {
				return nil, errors.New("it is bad")
			}
			return []Operation{{Op: "add", Path: "/metadata/labels", Value: map[string]string{"a": "b"}}}, nil
		},
	}}}}
	mux := http.NewServeMux()
	service.Serve(mux)
	service.Faults.Set(faults.Key("webhooks", "down"), faults.Fault{WebhookDown: true})
	ask := func(name string) (int, *admissionv1.AdmissionResponse) {
		body, _ := json.Marshal(admissionv1.AdmissionReview{Request: &admissionv1.AdmissionRequest{
			UID: "1", Name: name, Resource: metav1.GroupVersionResource{Group: "example.com", Resource: "things"},
		}})
		recorder := httptest.NewRecorder()
		mux.ServeHTTP(recorder, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/mutation", strings.NewReader(string(body))))
		var review admissionv1.AdmissionReview
		_ = json.Unmarshal(recorder.Body.Bytes(), &review)
		return recorder.Code, review.Response
	}
	if _, answer := ask("bad"); answer.Allowed || answer.Result.Code != http.StatusInternalServerError || answer.Result.Message != "Internal error occurred: it is bad" || answer.UID != "1" {
		t.Errorf("the refusal is %+v", answer)
	}
	if _, answer := ask("good"); !answer.Allowed || string(answer.Patch) != `[{"op":"add","path":"/metadata/labels","value":{"a":"b"}}]` {
		t.Errorf("the admission is %+v", answer)
	}
	if code, _ := ask("down"); code != http.StatusServiceUnavailable {
		t.Errorf("the unreachable webhook answers %d", code)
	}
}
