// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

// Package cloudinitsecret is the resource and data source harvester_cloudinit_secret: a
// Secret with user data and network data for cloud-init.
package cloudinitsecret

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
	"github.com/harvester-community/terraform-provider-harvester/internal/session"
	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
)

// Type is the name of the resource and of its data source.
const Type = "harvester_cloudinit_secret"

const kindSecret = "Secret"

// Kind declares them.
var Kind = &tfbase.Kind[model, *model, corev1.Secret, *corev1.Secret]{
	TypeName: Type,
	One:      "a cloud-init secret", Short: "secret", Instead: ", or refer to that one by name",
	Resource: api.Secrets, APIKind: kindSecret,
	Schema: secretSchema(), Limits: limits,
	Omit:      []string{"user_data_wo_version", "network_data_wo_version"},
	Clean:     cleanOfficial,
	Validate:  validate,
	Plan:      plan,
	Unstated:  (*model).unstated,
	WriteOnly: (*model).takeWriteOnly,
	Look:      look,
	Listed:    kube.Decode[corev1.Secret],
	Offers:    offers,
	// These are many, and large.
	ListFields: "type!=helm.sh/release.v1,type!=kubernetes.io/service-account-token,type!=kubernetes.io/tls",
	ListNote:   "So are Secrets without cloud-init data, and those that belong to a virtual machine.",
}

// look never asks for a list, which would be of all Secrets of the namespace.
func look(ctx context.Context, s *session.Session, namespace, name string, _ bool) (*corev1.Secret, error) {
	return kube.For[corev1.Secret](s.Client, api.Secrets, kindSecret).Get(ctx, namespace, name)
}

// offers: of all Secrets only those that hold cloud-init data, and belong to nothing.
func offers(_ context.Context, _ *session.Session, object *unstructured.Unstructured) (bool, error) {
	data, _, _ := unstructured.NestedMap(object.Object, "data")
	_, user := data[keyUserData]
	_, network := data[keyNetworkData]
	return (user || network) && len(object.GetOwnerReferences()) == 0, nil
}

// validate checks what is known of the data. Terraform runs it in every plan, so it sees what is
// known by then.
func validate(_ context.Context, config *model) diag.Diagnostics {
	if diags := config.check(); diags.HasError() {
		return diags
	}
	return config.advise()
}

// plan fills in what follows from the configuration, and checks what has become known since.
func plan(_ context.Context, p *tfbase.Planning[*model]) diag.Diagnostics {
	diags := p.Config.check()
	if diags.HasError() {
		return diags
	}
	prior := p.State
	if prior == nil {
		prior = &model{}
	}
	diags.Append(p.Config.checkEmptied(prior, p.Imported)...)
	p.Plan.derive(p.Config, prior, p.Imported)
	return diags
}

// cleanOfficial leaves open the form that the official provider does not fill when it fills the other.
func cleanOfficial(state map[string]any) {
	for _, text := range []string{"user_data", "network_data"} {
		encoded := text + "_base64"
		switch {
		case state[text] == "" && state[encoded] != "":
			state[text] = nil
		case state[text] != "" && state[encoded] == "":
			state[encoded] = nil
		}
	}
}
