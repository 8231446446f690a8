// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

// Package admission is KubeVirt's admission of virtual machines. It refuses what virt-api v1.7.0 refuses, with its texts,
// as far as this provider can send it. The configuration, the defaults that a machine is checked with, and the check of
// networks are KubeVirt's own code. The other checks are not, because it takes that code seconds to start.
//
// KubeVirt's mutating webhooks are missing: what they fill in, is filled in for the check only.
package admission

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	admissionv1 "k8s.io/api/admission/v1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	kubevirtv1 "kubevirt.io/api/core/v1"
	"kubevirt.io/kubevirt/pkg/defaults"
	netadmitter "kubevirt.io/kubevirt/pkg/network/admitter"
	virtconfig "kubevirt.io/kubevirt/pkg/virt-config"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/harvester-community/terraform-provider-harvester/internal/sandbox/manager"
)

// path is where the webhook is served. KubeVirt serves it elsewhere, at a Service.
const path = "/v1/kubevirt/virtualmachines-validate"

// architecture is that of the sandbox's nodes.
const architecture = "amd64"

// Admission is KubeVirt's admission.
type Admission struct{ config *virtconfig.ClusterConfig }

// New returns the admission of a cluster, which has a KubeVirt in the namespace.
func New(ctx context.Context, to *rest.Config, namespace string) (*Admission, error) {
	api, err := manager.Client(to, manager.Scheme(kubevirtv1.AddToScheme))
	if err != nil {
		return nil, fmt.Errorf("client: %w", err)
	}
	var installed kubevirtv1.KubeVirtList
	if err := api.List(ctx, &installed, client.InNamespace(namespace)); err != nil {
		return nil, fmt.Errorf("configuration of KubeVirt: %w", err)
	}
	return newWith(namespace, installed.Items)
}

func newWith(namespace string, installed []kubevirtv1.KubeVirt) (*Admission, error) {
	config, err := configuration(namespace, installed)
	if err != nil {
		return nil, fmt.Errorf("configuration of KubeVirt: %w", err)
	}
	return &Admission{config}, nil
}

// configuration is what KubeVirt makes of its own object, which stays as it is.
func configuration(namespace string, installed []kubevirtv1.KubeVirt) (*virtconfig.ClusterConfig, error) {
	definitions := cache.NewSharedIndexInformer(&cache.ListWatch{}, &apiextensionsv1.CustomResourceDefinition{}, 0, cache.Indexers{})
	kubeVirts := cache.NewSharedIndexInformer(&cache.ListWatch{}, &kubevirtv1.KubeVirt{}, 0, cache.Indexers{})
	for i := range installed {
		if err := kubeVirts.GetStore().Add(&installed[i]); err != nil {
			return nil, err
		}
	}
	return virtconfig.NewClusterConfigWithCPUArch(definitions, kubeVirts, namespace, architecture)
}

// Webhook registers Validator, served at url with a certificate of ca. Its name is KubeVirt's, which a refusal has in it
// (pkg/virt-operator/resource/generate/components/webhooks.go).
func Webhook(url string, ca []byte) *admissionregistrationv1.ValidatingWebhookConfiguration {
	fail, none := admissionregistrationv1.Fail, admissionregistrationv1.SideEffectClassNone
	url += path
	return &admissionregistrationv1.ValidatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: "virt-api-validator"},
		Webhooks: []admissionregistrationv1.ValidatingWebhook{{
			Name:                    "virtualmachine-validator.kubevirt.io",
			ClientConfig:            admissionregistrationv1.WebhookClientConfig{URL: &url, CABundle: ca},
			FailurePolicy:           &fail,
			SideEffects:             &none,
			AdmissionReviewVersions: []string{"v1"},
			Rules: []admissionregistrationv1.RuleWithOperations{{
				Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create, admissionregistrationv1.Update},
				Rule: admissionregistrationv1.Rule{
					APIGroups: []string{kubevirtv1.GroupVersion.Group}, APIVersions: kubevirtv1.ApiSupportedWebhookVersions, Resources: []string{"virtualmachines"},
				},
			}},
		}},
	}
}

// Register serves the webhook by a mux.
func (a *Admission) Register(mux *http.ServeMux) {
	mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
		var review admissionv1.AdmissionReview
		if err := json.NewDecoder(r.Body).Decode(&review); err != nil || review.Request == nil {
			http.Error(w, "not an admission review", http.StatusBadRequest)
			return
		}
		review.Response = a.admit(review.Request)
		review.Response.UID, review.Request = review.Request.UID, nil
		w.Header().Set("Content-Type", "application/json")
		// A client that went away needs no answer.
		_ = json.NewEncoder(w).Encode(review)
	})
}

func (a *Admission) admit(request *admissionv1.AdmissionRequest) *admissionv1.AdmissionResponse {
	machine := &kubevirtv1.VirtualMachine{}
	err := json.Unmarshal(request.Object.Raw, machine)
	if err == nil && machine.DeletionTimestamp == nil {
		var found causes
		if found, err = a.check(machine); len(found) > 0 {
			return refused(found)
		}
	}
	if err != nil {
		return &admissionv1.AdmissionResponse{Result: &metav1.Status{Message: err.Error(), Code: http.StatusBadRequest}}
	}
	return &admissionv1.AdmissionResponse{Allowed: true}
}

// check says what is wrong with a machine, with the defaults of what it leaves out.
func (a *Admission) check(machine *kubevirtv1.VirtualMachine) (causes, error) {
	at := field.NewPath("spec")
	if machine.Spec.Template == nil {
		return causes{{Type: metav1.CauseTypeFieldValueRequired, Message: "missing virtual machine template.", Field: at.Child("template").String()}}, nil
	}
	spec := &machine.Spec.Template.Spec
	if err := defaults.SetDefaultVirtualMachineInstanceSpec(a.config, spec); err != nil {
		return nil, err
	}
	template := at.Child("template", "spec")
	return slices.Concat(
		checkInstance(template, spec, a.config),
		netadmitter.NewValidator(template, spec, a.config).Validate(),
		checkDevices(template, spec, a.config),
		checkMachine(at, &machine.Spec, a.config),
	), nil
}

// refused is how KubeVirt tells what is wrong: with ten causes at most (pkg/util/webhooks/webhooks.go).
func refused(found causes) *admissionv1.AdmissionResponse {
	const most = 10
	told := found[:min(len(found), most)]
	messages := make([]string, 0, len(told)+1)
	for _, cause := range told {
		messages = append(messages, cause.Message)
	}
	if more := len(found) - len(told); more > 0 {
		messages = append(messages, fmt.Sprintf("and %v more validation errors", more))
	}
	return &admissionv1.AdmissionResponse{Result: &metav1.Status{
		Message: strings.Join(messages, ", "), Reason: metav1.StatusReasonInvalid, Code: http.StatusUnprocessableEntity,
		Details: &metav1.StatusDetails{Causes: told},
	}}
}
