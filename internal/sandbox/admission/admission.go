// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

// Package admission serves the admission webhooks of simulated services. They refuse as Harvester's own libraries of webhooks do
// with plain errors: with the status 500 and the reason InternalError.
package admission

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	admissionv1 "k8s.io/api/admission/v1"
	registrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/harvester-community/terraform-provider-harvester/internal/sandbox/faults"
)

// Operation is one step of a JSON patch.
type Operation struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	Value any    `json:"value"`
}

// Judge admits a request, with changes, or refuses it.
type Judge func(context.Context, *admissionv1.AdmissionRequest) ([]Operation, error)

// Resource is a kind of objects that a webhook judges.
type Resource struct {
	Group, Version, Name string
	Namespaced           bool
	Operations           []registrationv1.OperationType
	Judge                Judge
}

// Webhook is one of a service.
type Webhook struct {
	// Configuration is the name of the object that registers it, Name its own, as refusals show it.
	Configuration, Name string
	// Path is where it is served.
	Path      string
	Resources []Resource
	// Lenient admits requests that it cannot be asked about.
	Lenient bool
}

// Service has webhooks. A fault can make them unreachable for an object.
type Service struct {
	Mutating, Validating Webhook
	Faults               *faults.Switch
}

// Serve adds the webhooks to a server.
func (s *Service) Serve(mux *http.ServeMux) {
	mux.Handle(s.Mutating.Path, s.handler(s.Mutating))
	mux.Handle(s.Validating.Path, s.handler(s.Validating))
}

// Register registers the webhooks, which are served at url with a certificate of ca.
func (s *Service) Register(ctx context.Context, config *rest.Config, url string, ca []byte) error {
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	none, versions := registrationv1.SideEffectClassNone, []string{"v1"}
	mutating := &registrationv1.MutatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: s.Mutating.Configuration},
		Webhooks: []registrationv1.MutatingWebhook{{
			Name: s.Mutating.Name, ClientConfig: s.Mutating.endpoint(url, ca), Rules: s.Mutating.rules(), FailurePolicy: s.Mutating.policy(),
			SideEffects: &none, AdmissionReviewVersions: versions,
		}},
	}
	validating := &registrationv1.ValidatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: s.Validating.Configuration},
		Webhooks: []registrationv1.ValidatingWebhook{{
			Name: s.Validating.Name, ClientConfig: s.Validating.endpoint(url, ca), Rules: s.Validating.rules(), FailurePolicy: s.Validating.policy(),
			SideEffects: &none, AdmissionReviewVersions: versions,
		}},
	}
	registration := client.AdmissionregistrationV1()
	if _, err := registration.MutatingWebhookConfigurations().Create(ctx, mutating, metav1.CreateOptions{}); err != nil {
		return fmt.Errorf("registering %s: %w", s.Mutating.Name, err)
	}
	if _, err := registration.ValidatingWebhookConfigurations().Create(ctx, validating, metav1.CreateOptions{}); err != nil {
		return fmt.Errorf("registering %s: %w", s.Validating.Name, err)
	}
	return nil
}

func (w Webhook) endpoint(url string, ca []byte) registrationv1.WebhookClientConfig {
	url += w.Path
	return registrationv1.WebhookClientConfig{URL: &url, CABundle: ca}
}

func (w Webhook) policy() *registrationv1.FailurePolicyType {
	policy := registrationv1.Fail
	if w.Lenient {
		policy = registrationv1.Ignore
	}
	return &policy
}

func (w Webhook) rules() (rules []registrationv1.RuleWithOperations) {
	for _, resource := range w.Resources {
		scope := registrationv1.ClusterScope
		if resource.Namespaced {
			scope = registrationv1.NamespacedScope
		}
		rules = append(rules, registrationv1.RuleWithOperations{
			Operations: resource.Operations,
			Rule: registrationv1.Rule{
				APIGroups: []string{resource.Group}, APIVersions: []string{resource.Version}, Resources: []string{resource.Name}, Scope: &scope,
			},
		})
	}
	return rules
}

func (s *Service) handler(webhook Webhook) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var review admissionv1.AdmissionReview
		if err := json.NewDecoder(r.Body).Decode(&review); err != nil || review.Request == nil {
			http.Error(w, "not an admission review", http.StatusBadRequest)
			return
		}
		if s.Faults != nil && s.Faults.ForKey(faults.Key("webhooks", review.Request.Name)).WebhookDown {
			http.Error(w, "the webhook is down", http.StatusServiceUnavailable)
			return
		}
		review.Response = webhook.answer(r.Context(), review.Request)
		review.Response.UID, review.Request = review.Request.UID, nil
		w.Header().Set("Content-Type", "application/json")
		// A client that went away needs no answer.
		_ = json.NewEncoder(w).Encode(review)
	})
}

func (w Webhook) answer(ctx context.Context, request *admissionv1.AdmissionRequest) *admissionv1.AdmissionResponse {
	patch, err := w.judge(ctx, request)
	if err != nil {
		return &admissionv1.AdmissionResponse{Result: &metav1.Status{
			Status: metav1.StatusFailure, Code: http.StatusInternalServerError, Reason: metav1.StatusReasonInternalError,
			Message: "Internal error occurred: " + err.Error(),
		}}
	}
	response := &admissionv1.AdmissionResponse{Allowed: true}
	if len(patch) > 0 {
		kind := admissionv1.PatchTypeJSONPatch
		response.PatchType = &kind
		response.Patch, _ = json.Marshal(patch) // it always encodes
	}
	return response
}

func (w Webhook) judge(ctx context.Context, request *admissionv1.AdmissionRequest) ([]Operation, error) {
	for _, resource := range w.Resources {
		if request.Resource.Group == resource.Group && request.Resource.Resource == resource.Name {
			return resource.Judge(ctx, request)
		}
	}
	return nil, nil
}
