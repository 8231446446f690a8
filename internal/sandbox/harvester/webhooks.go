// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package harvester

import (
	"context"
	"net/http"

	"github.com/harvester/harvester/pkg/webhook"
	"github.com/harvester/harvester/pkg/webhook/clients"
	"github.com/harvester/harvester/pkg/webhook/config"
	"github.com/harvester/harvester/pkg/webhook/indexeres"
	"github.com/harvester/harvester/pkg/webhook/server"
	"github.com/harvester/harvester/pkg/webhook/types"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	typedv1 "k8s.io/client-go/kubernetes/typed/admissionregistration/v1"
	"k8s.io/client-go/rest"
)

// Where Harvester's webhooks are served.
const (
	validationPath = "/v1/webhook/validation"
	mutationPath   = "/v1/webhook/mutation"
)

// WebhookOptions say how Harvester's webhooks are run.
type WebhookOptions struct {
	// Config must give its token and its authority as files.
	Config *rest.Config
	// URL and CA are those of the server that Mux is served by.
	URL string
	CA  []byte
	Mux *http.ServeMux
	// HarvesterUser and GarbageCollectorUser are names of accounts to whose
	// requests the webhooks are lenient.
	HarvesterUser        string
	GarbageCollectorUser string
}

// Webhooks are Harvester's admission webhooks.
type Webhooks struct {
	options    WebhookOptions
	clients    *clients.Clients
	validation []types.Resource
	mutation   []types.Resource
}

// NewWebhooks builds all of Harvester's admission webhooks.
func NewWebhooks(ctx context.Context, options WebhookOptions) (*Webhooks, error) {
	clients, err := clients.New(ctx, options.Config, threads, false)
	if err != nil {
		return nil, err
	}
	indexeres.RegisterIndexers(clients)
	settings := &config.Options{
		Namespace:                   Namespace,
		Threadiness:                 threads,
		HarvesterControllerUsername: options.HarvesterUser,
		GarbageCollectionUsername:   options.GarbageCollectorUser,
	}
	w := &Webhooks{options: options, clients: clients}
	validation, validated, err := server.Validation(clients, settings, false)
	if err != nil {
		return nil, err
	}
	mutation, mutated, err := server.Mutation(clients, settings, false)
	if err != nil {
		return nil, err
	}
	options.Mux.Handle(validationPath, validation)
	options.Mux.Handle(mutationPath, mutation)
	w.validation, w.mutation = validated, mutated
	return w, nil
}

// Start fills the webhooks' caches and then registers them, together with those
// of others: one that validates, and some that change objects.
func (w *Webhooks) Start(ctx context.Context, validating *admissionv1.ValidatingWebhookConfiguration, others ...*admissionv1.MutatingWebhookConfiguration) error {
	if err := w.clients.Start(ctx); err != nil {
		return err
	}
	client := w.clients.K8s.AdmissionregistrationV1()
	for _, configuration := range []*admissionv1.ValidatingWebhookConfiguration{validating, w.validating()} {
		if _, err := client.ValidatingWebhookConfigurations().Create(ctx, configuration, metav1.CreateOptions{}); err != nil {
			return err
		}
	}
	for _, configuration := range append(others, w.mutating()) {
		if _, err := client.MutatingWebhookConfigurations().Create(ctx, configuration, metav1.CreateOptions{}); err != nil {
			return err
		}
	}
	return nil
}

// Unregister removes the webhooks of an earlier run, which nothing serves any
// more and which would refuse every write.
func Unregister(ctx context.Context, config *rest.Config) error {
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	admission := client.AdmissionregistrationV1()
	if err := deleteConfigurations(ctx, admission); err != nil && !apierrors.IsNotFound(err) {
		return err
	}
	return nil
}

func deleteConfigurations(ctx context.Context, admission typedv1.AdmissionregistrationV1Interface) error {
	all := metav1.ListOptions{}
	if err := admission.ValidatingWebhookConfigurations().DeleteCollection(ctx, metav1.DeleteOptions{}, all); err != nil {
		return err
	}
	return admission.MutatingWebhookConfigurations().DeleteCollection(ctx, metav1.DeleteOptions{}, all)
}

func (w *Webhooks) validating() *admissionv1.ValidatingWebhookConfiguration {
	fail, none := admissionv1.Fail, admissionv1.SideEffectClassNone
	return &admissionv1.ValidatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: webhook.ValidatingWebhookName},
		Webhooks: []admissionv1.ValidatingWebhook{{
			Name:                    "validator.harvesterhci.io",
			ClientConfig:            w.endpoint(validationPath),
			Rules:                   rules(w.validation),
			FailurePolicy:           &fail,
			SideEffects:             &none,
			AdmissionReviewVersions: []string{"v1", "v1beta1"},
		}},
	}
}

func (w *Webhooks) mutating() *admissionv1.MutatingWebhookConfiguration {
	ignore, none := admissionv1.Ignore, admissionv1.SideEffectClassNone
	return &admissionv1.MutatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: webhook.MutatingWebhookName},
		Webhooks: []admissionv1.MutatingWebhook{{
			Name:                    "mutator.harvesterhci.io",
			ClientConfig:            w.endpoint(mutationPath),
			Rules:                   rules(w.mutation),
			FailurePolicy:           &ignore,
			SideEffects:             &none,
			AdmissionReviewVersions: []string{"v1", "v1beta1"},
		}},
	}
}

func (w *Webhooks) endpoint(path string) admissionv1.WebhookClientConfig {
	url := w.options.URL + path
	return admissionv1.WebhookClientConfig{URL: &url, CABundle: w.options.CA}
}

func rules(resources []types.Resource) []admissionv1.RuleWithOperations {
	var rules []admissionv1.RuleWithOperations
	for _, resource := range resources {
		rules = append(rules, admissionv1.RuleWithOperations{
			Operations: resource.OperationTypes,
			Rule: admissionv1.Rule{
				APIGroups:   []string{resource.APIGroup},
				APIVersions: []string{resource.APIVersion},
				Resources:   resource.Names,
				Scope:       &resource.Scope,
			},
		})
	}
	return rules
}
