// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"strings"

	extv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// packagedCharts are the charts inside Harvester's chart that have definitions
// which a user or Harvester's server needs.
var packagedCharts = []string{
	"longhorn",
	"harvester-network-controller",
	"harvester-load-balancer",
	"harvester-node-manager",
	"harvester-node-disk-manager",
}

// unused are definitions from the charts that neither Harvester's server nor a
// user of its API comes across in a sandbox. Every definition costs watches and
// memory, so they are left out.
var unused = map[string]bool{
	"orphans.longhorn.io":                                    true,
	"recurringjobs.longhorn.io":                              true,
	"sharemanagers.longhorn.io":                              true,
	"supportbundles.longhorn.io":                             true,
	"systembackups.longhorn.io":                              true,
	"systemrestores.longhorn.io":                             true,
	"nodeslicepools.whereabouts.cni.cncf.io":                 true,
	"overlappingrangeipreservations.whereabouts.cni.cncf.io": true,
}

// opened are definitions whose objects the sandbox writes itself and nobody else
// does. Their schemas are large, so their objects may have any content instead.
var opened = map[string]bool{
	"cdis.cdi.kubevirt.io":  true,
	"kubevirts.kubevirt.io": true,
}

// watchedKind is a kind of Rancher, Fleet, Cluster API, logging or monitoring
// that Harvester's controllers watch although the sandbox has none of them. Its
// objects may have any content.
type watchedKind struct {
	group, version, kind, plural string
	scope                        extv1.ResourceScope
}

var watchedKinds = []watchedKind{
	{"catalog.cattle.io", "v1", "App", "apps", extv1.NamespaceScoped},
	{"catalog.cattle.io", "v1", "ClusterRepo", "clusterrepos", extv1.ClusterScoped},
	{"cluster.x-k8s.io", "v1beta1", "Cluster", "clusters", extv1.NamespaceScoped},
	{"cluster.x-k8s.io", "v1beta1", "Machine", "machines", extv1.NamespaceScoped},
	{"fleet.cattle.io", "v1alpha1", "Cluster", "clusters", extv1.NamespaceScoped},
	{"helm.cattle.io", "v1", "HelmChart", "helmcharts", extv1.NamespaceScoped},
	{"helm.cattle.io", "v1", "HelmChartConfig", "helmchartconfigs", extv1.NamespaceScoped},
	{"k8s.cni.cncf.io", "v1", "NetworkAttachmentDefinition", "network-attachment-definitions", extv1.NamespaceScoped},
	{"logging.banzaicloud.io", "v1beta1", "ClusterFlow", "clusterflows", extv1.NamespaceScoped},
	{"logging.banzaicloud.io", "v1beta1", "ClusterOutput", "clusteroutputs", extv1.NamespaceScoped},
	{"logging.banzaicloud.io", "v1beta1", "Flow", "flows", extv1.NamespaceScoped},
	{"logging.banzaicloud.io", "v1beta1", "FluentbitAgent", "fluentbitagents", extv1.ClusterScoped},
	{"logging.banzaicloud.io", "v1beta1", "Logging", "loggings", extv1.ClusterScoped},
	{"logging.banzaicloud.io", "v1beta1", "Output", "outputs", extv1.NamespaceScoped},
	// Harvester's server asks for this kind, which nothing uses.
	{"longhorn.io", "v1beta2", "LHNode", "lhnodes", extv1.NamespaceScoped},
	{"management.cattle.io", "v3", "APIService", "apiservices", extv1.ClusterScoped},
	{"management.cattle.io", "v3", "Feature", "features", extv1.ClusterScoped},
	{"management.cattle.io", "v3", "Group", "groups", extv1.ClusterScoped},
	{"management.cattle.io", "v3", "GroupMember", "groupmembers", extv1.ClusterScoped},
	{"management.cattle.io", "v3", "ManagedChart", "managedcharts", extv1.NamespaceScoped},
	{"management.cattle.io", "v3", "NodeDriver", "nodedrivers", extv1.ClusterScoped},
	{"management.cattle.io", "v3", "Setting", "settings", extv1.ClusterScoped},
	{"management.cattle.io", "v3", "Token", "tokens", extv1.ClusterScoped},
	{"management.cattle.io", "v3", "User", "users", extv1.ClusterScoped},
	{"monitoring.coreos.com", "v1", "Alertmanager", "alertmanagers", extv1.NamespaceScoped},
	{"monitoring.coreos.com", "v1", "Prometheus", "prometheuses", extv1.NamespaceScoped},
	{"provisioning.cattle.io", "v1", "Cluster", "clusters", extv1.NamespaceScoped},
	{"rke.cattle.io", "v1", "RKEControlPlane", "rkecontrolplanes", extv1.NamespaceScoped},
	{"upgrade.cattle.io", "v1", "Plan", "plans", extv1.NamespaceScoped},
}

func (k watchedKind) definition() *extv1.CustomResourceDefinition {
	names := extv1.CustomResourceDefinitionNames{
		Plural:   k.plural,
		Singular: strings.TrimSuffix(k.plural, "s"),
		Kind:     k.kind,
		ListKind: k.kind + "List",
	}
	return &extv1.CustomResourceDefinition{
		TypeMeta:   metav1.TypeMeta{APIVersion: extv1.SchemeGroupVersion.String(), Kind: "CustomResourceDefinition"},
		ObjectMeta: metav1.ObjectMeta{Name: k.plural + "." + k.group},
		Spec: extv1.CustomResourceDefinitionSpec{
			Group: k.group,
			Names: names,
			Scope: k.scope,
			Versions: []extv1.CustomResourceDefinitionVersion{{
				Name: k.version, Served: true, Storage: true, Schema: anything(),
			}},
		},
	}
}

// anything is the schema of an object with any fields.
func anything() *extv1.CustomResourceValidation {
	yes := true
	return &extv1.CustomResourceValidation{
		OpenAPIV3Schema: &extv1.JSONSchemaProps{Type: "object", XPreserveUnknownFields: &yes},
	}
}
