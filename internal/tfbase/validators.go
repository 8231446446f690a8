// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package tfbase

import (
	"context"
	"fmt"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/redact"
)

// rule is a string validator made of a function that lists what is wrong.
type rule struct {
	summary     string
	description string
	check       func(string) []string
	secret      bool
}

// Rule returns a validator for strings. Check returns what is wrong with a value, in
// sentences without a full stop; nothing if the value is right.
func Rule(summary, description string, check func(string) []string) validator.String {
	return rule{summary: summary, description: description, check: check}
}

// SecretRule is Rule for values that may hold a secret, so that the message does not repeat them.
func SecretRule(summary, description string, check func(string) []string) validator.String {
	return rule{summary: summary, description: description, check: check, secret: true}
}

func (r rule) Description(context.Context) string         { return r.description }
func (r rule) MarkdownDescription(context.Context) string { return r.description }

func (r rule) ValidateString(_ context.Context, req validator.StringRequest, resp *validator.StringResponse) {
	if req.ConfigValue.IsNull() || req.ConfigValue.IsUnknown() {
		return
	}
	value := req.ConfigValue.ValueString()
	wrong := r.check(value)
	switch {
	case len(wrong) == 0:
	case r.secret:
		resp.Diagnostics.AddAttributeError(req.Path, r.summary, fmt.Sprintf(
			"The value is not usable here: %s. It is not repeated, because it may hold a secret.", strings.Join(wrong, "; ")))
	default:
		resp.Diagnostics.AddAttributeError(req.Path, r.summary, fmt.Sprintf("%q is not usable here: %s.", redact.Text(value), strings.Join(wrong, "; ")))
	}
}

// Name accepts names of Kubernetes objects (DNS-1123 subdomains).
func Name() validator.String {
	return Rule("Invalid name", "must be a name of a Kubernetes object", validation.IsDNS1123Subdomain)
}

// LabelValue accepts values of labels.
func LabelValue() validator.String {
	return Rule("Invalid label value", "must be the value of a Kubernetes label", validation.IsValidLabelValue)
}

// LabelKey accepts keys of labels, save those that Harvester keeps for itself
// and those that are tags.
func LabelKey() validator.String {
	return Rule("Invalid label", "must be the key of a Kubernetes label", func(key string) []string {
		switch {
		case strings.HasPrefix(key, api.LabelTagPrefix):
			return []string{"this is a tag; put it into tags, without " + api.LabelTagPrefix}
		case api.ReservedLabel(key):
			return []string{"Harvester and its controllers set this label themselves and rely on it; remove it here, and it stays on the object as it is"}
		}
		return validation.IsQualifiedName(key)
	})
}

// TagKey accepts keys of tags: what can follow the prefix in a label's key.
func TagKey() validator.String {
	return Rule("Invalid tag", "must be the name part of a label", func(key string) []string {
		return validation.IsQualifiedName(api.LabelTagPrefix + key)
	})
}

// Quantity accepts positive Kubernetes quantities such as 10Gi.
func Quantity() validator.String {
	return Rule("Invalid quantity", "must be a Kubernetes quantity such as 10Gi", func(value string) []string {
		quantity, err := resource.ParseQuantity(value)
		if err != nil {
			return []string{"expected a number with a unit, for example 512Mi or 10Gi"}
		}
		if quantity.Sign() <= 0 {
			return []string{"it must be more than zero"}
		}
		return nil
	})
}
