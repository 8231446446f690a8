// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package doctor

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
)

// right is what the provider needs for something.
type right struct {
	// For is what does not work without it.
	For       string
	Resource  schema.GroupVersionResource
	Verbs     []string
	Namespace string // where, if not where the objects are; "-" is the whole cluster
	// Vital: without it the provider has no use.
	Vital bool
}

const (
	wholeCluster      = "-"
	longhornNamespace = "longhorn-system"
)

var (
	all  = []string{"get", "list", "watch", "create", "patch", "delete"}
	look = []string{"get", "list", "watch"}
)

// Rights are those that the provider uses, by what needs them.
var Rights = []right{
	{For: "harvester_image", Resource: api.Images, Verbs: all, Vital: true},
	{For: "harvester_image", Resource: api.BackingImages, Verbs: []string{"get"}, Namespace: longhornNamespace},
	{For: "harvester_image_download", Resource: api.ImageDownloaders, Verbs: []string{"get", "create", "delete"}},
	{For: "harvester_virtualmachine", Resource: api.VirtualMachines, Verbs: all, Vital: true},
	{For: "harvester_virtualmachine", Resource: api.VirtualMachineInstances, Verbs: look, Vital: true},
	{For: "harvester_volume", Resource: api.PersistentVolumeClaims, Verbs: all, Vital: true},
	{For: "harvester_cloudinit_secret", Resource: api.Secrets, Verbs: all},
	{For: "harvester_ssh_key", Resource: api.KeyPairs, Verbs: all},
	{For: "harvester_storageclass", Resource: api.StorageClasses, Verbs: all, Namespace: wholeCluster},
	{For: "harvester_clusternetwork", Resource: api.ClusterNetworks, Verbs: all, Namespace: wholeCluster},
	{For: "harvester_vlanconfig", Resource: api.VlanConfigs, Verbs: all, Namespace: wholeCluster},
	{For: "harvester_network", Resource: api.Networks, Verbs: all},
	{For: "harvester_ippool", Resource: api.IPPools, Verbs: all, Namespace: wholeCluster},
	{For: "harvester_loadbalancer", Resource: api.LoadBalancers, Verbs: all},
	{For: "harvester_pcidevice", Resource: api.PCIDeviceClaims, Verbs: all, Namespace: wholeCluster},
	{For: "harvester_sriov_network_device", Resource: api.SRIOVNetworkDevices, Verbs: []string{"get", "list", "watch", "patch"}, Namespace: wholeCluster},
	{For: "harvester_setting", Resource: api.Settings, Verbs: []string{"get", "list", "watch", "patch"}, Namespace: wholeCluster},
	{For: "harvester_schedule_backup", Resource: api.ScheduleVMBackups, Verbs: all},
}

// rights asks for each of them.
func (p *patient) rights(ctx context.Context) Finding {
	missing := make([]string, len(Rights))
	errs := make([]error, len(Rights))
	var group sync.WaitGroup
	for i, needed := range Rights {
		group.Go(func() {
			denied, err := p.denied(ctx, needed)
			if errs[i] = err; len(denied) > 0 {
				missing[i] = fmt.Sprintf("%s of %s (%s)", strings.Join(denied, ", "), needed.Resource.Resource, needed.For)
			}
		})
	}
	group.Wait()
	if err := errors.Join(errs...); err != nil {
		found := troubled("ask for the rights on", errs[firstError(errs)])
		found.Verdict = Limit
		return found
	}
	return judged(missing, p.namespace)
}

func firstError(errs []error) int {
	for i, err := range errs {
		if err != nil {
			return i
		}
	}
	return 0
}

// judged puts together what is missing, in the order of Rights.
func judged(missing []string, namespace string) Finding {
	found := Finding{Verdict: OK, Said: fmt.Sprintf("enough for every resource, in the namespace %q", namespace)}
	var lines []string
	for i, line := range missing {
		if line == "" {
			continue
		}
		if lines = append(lines, line); Rights[i].Vital {
			found.Verdict = Problem
		} else if found.Verdict == OK {
			found.Verdict = Limit
		}
	}
	if len(lines) > 0 {
		found.Said = fmt.Sprintf("in the namespace %q these are missing: %s", namespace, strings.Join(lines, "; "))
		found.Remedy = "Ask for them where the configuration needs them, or look with --namespace at the one that it uses."
	}
	return found
}

// denied are the verbs of it that are not allowed. Mostly all are, which one question tells.
func (p *patient) denied(ctx context.Context, needed right) (verbs []string, err error) {
	if allowed, err := p.allowed(ctx, needed, "*"); allowed || err != nil {
		return nil, err
	}
	for _, verb := range needed.Verbs {
		allowed, err := p.allowed(ctx, needed, verb)
		if err != nil {
			return nil, err
		}
		if !allowed {
			verbs = append(verbs, verb)
		}
	}
	return verbs, nil
}

func (p *patient) allowed(ctx context.Context, needed right, verb string) (bool, error) {
	attributes := map[string]any{"group": needed.Resource.Group, "resource": needed.Resource.Resource, "verb": verb}
	switch needed.Namespace {
	case wholeCluster:
	case "":
		attributes["namespace"] = p.namespace
	default:
		attributes["namespace"] = needed.Namespace
	}
	answer, err := review(ctx, p.client, "authorization.k8s.io", "SelfSubjectAccessReview", map[string]any{"resourceAttributes": attributes})
	if err != nil {
		return false, err
	}
	allowed, _, _ := unstructured.NestedBool(answer, "status", "allowed")
	return allowed, nil
}

// whoAmI is the name under which the cluster knows us.
func whoAmI(ctx context.Context, client *kube.Client) (string, error) {
	answer, err := review(ctx, client, "authentication.k8s.io", "SelfSubjectReview", nil)
	if err != nil {
		return "", err
	}
	name, _, _ := unstructured.NestedString(answer, "status", "userInfo", "username")
	return name, nil
}

// review sends one of the objects that are questions, and returns the answer.
func review(ctx context.Context, client *kube.Client, group, kind string, spec map[string]any) (map[string]any, error) {
	question := map[string]any{"apiVersion": group + "/v1", "kind": kind, "metadata": map[string]any{}}
	if spec != nil {
		question["spec"] = spec
	}
	resource := schema.GroupVersionResource{Group: group, Version: "v1", Resource: strings.ToLower(kind) + "s"}
	answer, err := client.Dynamic().Resource(resource).Create(ctx, &unstructured.Unstructured{Object: question}, metav1.CreateOptions{})
	if err != nil {
		return nil, err
	}
	return answer.Object, nil
}
