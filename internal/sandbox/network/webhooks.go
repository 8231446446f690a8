// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package network

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"

	ctlcni "github.com/harvester/harvester-network-controller/pkg/generated/controllers/k8s.cni.cncf.io"
	ctlkubevirt "github.com/harvester/harvester-network-controller/pkg/generated/controllers/kubevirt.io"
	ctlnetwork "github.com/harvester/harvester-network-controller/pkg/generated/controllers/network.harvesterhci.io"
	"github.com/harvester/harvester-network-controller/pkg/utils"
	"github.com/harvester/harvester-network-controller/pkg/webhook/clusternetwork"
	"github.com/harvester/harvester-network-controller/pkg/webhook/hostnetworkconfig"
	"github.com/harvester/harvester-network-controller/pkg/webhook/nad"
	"github.com/harvester/harvester-network-controller/pkg/webhook/vlanconfig"
	"github.com/harvester/webhook/pkg/config"
	"github.com/harvester/webhook/pkg/server/admission"
	ctlcore "github.com/rancher/wrangler/v3/pkg/generated/controllers/core"
	"github.com/rancher/wrangler/v3/pkg/start"
	"github.com/rancher/wrangler/v3/pkg/webhook"
	reviewv1 "k8s.io/api/admission/v1"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	kubevirtv1 "kubevirt.io/api/core/v1"
)

// Where the webhooks are served, and under which name they are registered.
const (
	validationPath = "/v1/network/validation"
	mutationPath   = "/v1/network/mutation"
	webhookName    = "harvester-network-webhook"
)

// maxReview is how large a review may be.
const maxReview = 8 << 20

// startWebhooks fills the webhooks' caches, serves and then registers them.
func (n *Network) startWebhooks(ctx context.Context) error {
	mutators, validators, err := n.webhooks(ctx)
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(n.Config)
	if err != nil {
		return err
	}
	options := &config.Options{Namespace: namespace, Threadiness: threads}
	mutation, validation := webhook.NewRouter(), webhook.NewRouter()
	var mutated, validated []admissionv1.RuleWithOperations
	for _, mutator := range mutators {
		admission.NewHandler(mutator, admission.AdmissionTypeMutation, options).AddToWebhookRouter(mutation)
		mutated = append(mutated, rule(mutator.Resource()))
	}
	for _, validator := range validators {
		admission.NewHandler(admission.Validator2Admitter(validator), admission.AdmissionTypeValidation, options).AddToWebhookRouter(validation)
		validated = append(validated, rule(validator.Resource()))
	}
	n.Mux.Handle(mutationPath, n.unlessDown(mutation))
	n.Mux.Handle(validationPath, n.unlessDown(validation))
	registered := client.AdmissionregistrationV1()
	if _, err := registered.ValidatingWebhookConfigurations().Create(ctx, n.validating(validated), metav1.CreateOptions{}); err != nil {
		return err
	}
	_, err = registered.MutatingWebhookConfigurations().Create(ctx, n.mutating(mutated), metav1.CreateOptions{})
	return err
}

// webhooks builds the real ones, as cmd/webhook does. Without the kinds of Kube-OVN, which is an add-on, there is none
// for its subnets.
func (n *Network) webhooks(ctx context.Context) (mutators []admission.Mutator, validators []admission.Validator, err error) {
	machines, err := ctlkubevirt.NewFactoryFromConfig(n.Config)
	if err != nil {
		return nil, nil, err
	}
	attachments, err := ctlcni.NewFactoryFromConfig(n.Config)
	if err != nil {
		return nil, nil, err
	}
	networks, err := ctlnetwork.NewFactoryFromConfig(n.Config)
	if err != nil {
		return nil, nil, err
	}
	core, err := ctlcore.NewFactoryFromConfig(n.Config)
	if err != nil {
		return nil, nil, err
	}
	var (
		nads      = attachments.K8s().V1().NetworkAttachmentDefinition().Cache()
		vms       = machines.Kubevirt().V1().VirtualMachine().Cache()
		instances = machines.Kubevirt().V1().VirtualMachineInstance().Cache()
		configs   = networks.Network().V1beta1().VlanConfig().Cache()
		statuses  = networks.Network().V1beta1().VlanStatus().Cache()
		clusters  = networks.Network().V1beta1().ClusterNetwork().Cache()
		hosts     = networks.Network().V1beta1().HostNetworkConfig().Cache()
		nodes     = core.Core().V1().Node().Cache()
	)
	vms.AddIndexer(utils.VMByNetworkIndex, func(vm *kubevirtv1.VirtualMachine) ([]string, error) {
		if vm.Spec.Template == nil {
			return nil, nil
		}
		return networkNames(vm.Spec.Template.Spec.Networks), nil
	})
	instances.AddIndexer(utils.VMByNetworkIndex, func(instance *kubevirtv1.VirtualMachineInstance) ([]string, error) {
		return networkNames(instance.Spec.Networks), nil
	})
	if err := start.All(ctx, threads, machines, attachments, networks, core); err != nil {
		return nil, nil, err
	}
	mutators = []admission.Mutator{nad.NewNadMutator(clusters, configs, nodes), vlanconfig.NewVlanConfigMutator(nodes)}
	validators = []admission.Validator{
		clusternetwork.NewCnValidator(nads, instances, configs),
		nad.NewNadValidator(vms, instances, clusters, configs, nil, false, hosts, nads),
		vlanconfig.NewVlanConfigValidator(nads, configs, statuses, instances, clusters),
		hostnetworkconfig.NewHostNetworkConfigValidator(nads, clusters, hosts, configs, statuses, nodes, vms),
	}
	return mutators, validators, nil
}

// networkNames are the networks that a machine is attached to, as it names them.
func networkNames(networks []kubevirtv1.Network) (names []string) {
	for _, network := range networks {
		if network.Multus != nil {
			names = append(names, network.Multus.NetworkName)
		}
	}
	return names
}

// unlessDown cuts the connection while a fault says that the webhooks are down, for the object in question.
func (n *Network) unlessDown(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, req.Body, maxReview))
		var review reviewv1.AdmissionReview
		if err == nil {
			err = json.Unmarshal(body, &review)
		}
		if err != nil || review.Request == nil {
			http.Error(w, "no review", http.StatusBadRequest)
			return
		}
		if n.fault("webhooks/" + review.Request.Name).WebhookDown {
			panic(http.ErrAbortHandler)
		}
		req.Body = io.NopCloser(bytes.NewReader(body))
		next.ServeHTTP(w, req)
	})
}

func rule(resource admission.Resource) admissionv1.RuleWithOperations {
	return admissionv1.RuleWithOperations{
		Operations: resource.OperationTypes,
		Rule: admissionv1.Rule{
			APIGroups: []string{resource.APIGroup}, APIVersions: []string{resource.APIVersion},
			Resources: resource.Names, Scope: &resource.Scope,
		},
	}
}

func (n *Network) validating(rules []admissionv1.RuleWithOperations) *admissionv1.ValidatingWebhookConfiguration {
	fail, none := admissionv1.Fail, admissionv1.SideEffectClassNone
	return &admissionv1.ValidatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: webhookName},
		Webhooks: []admissionv1.ValidatingWebhook{{
			Name: "validator." + namespace + "." + webhookName, ClientConfig: n.endpoint(validationPath), Rules: rules,
			FailurePolicy: &fail, SideEffects: &none, AdmissionReviewVersions: []string{"v1", "v1beta1"},
		}},
	}
}

func (n *Network) mutating(rules []admissionv1.RuleWithOperations) *admissionv1.MutatingWebhookConfiguration {
	ignore, none := admissionv1.Ignore, admissionv1.SideEffectClassNone
	return &admissionv1.MutatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: webhookName},
		Webhooks: []admissionv1.MutatingWebhook{{
			Name: "mutator." + namespace + "." + webhookName, ClientConfig: n.endpoint(mutationPath), Rules: rules,
			FailurePolicy: &ignore, SideEffects: &none, AdmissionReviewVersions: []string{"v1", "v1beta1"},
		}},
	}
}

func (n *Network) endpoint(path string) admissionv1.WebhookClientConfig {
	url := n.URL + path
	return admissionv1.WebhookClientConfig{URL: &url, CABundle: n.CA}
}
