// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

// Package arg reads and keeps values of arguments the way configurations for the
// official provider mean them: "" and 0 stand for "not set", and null does too.
package arg

import (
	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
)

// Known says that the value is neither null nor unknown.
func Known(value attr.Value) bool { return !value.IsNull() && !value.IsUnknown() }

// Set says that the string is known and not "", which stands for "not set" in
// configurations for the official provider.
func Set(value types.String) bool { return value.ValueString() != "" }

// TextOrNull is the text, or null if there is none.
func TextOrNull(text string) types.String {
	if text == "" {
		return types.StringNull()
	}
	return types.StringValue(text)
}

// Settled is a value that is not unknown any more: what nobody filled in is null.
func Settled(value types.String) types.String {
	if value.IsUnknown() {
		return types.StringNull()
	}
	return value
}

// KeepOpen is for arguments the cluster fills in: an explicit "" leaves them
// open and stays.
func KeepOpen(prior types.String, value string) types.String {
	if Known(prior) && prior.ValueString() == "" {
		return prior
	}
	return TextOrNull(value)
}

// KeepQuantity keeps the spelling of an equal quantity.
func KeepQuantity(prior types.String, value string) types.String {
	if Set(prior) && value != "" && Bytes(prior.ValueString()) == Bytes(value) {
		return prior
	}
	return tfbase.Keep(prior, value)
}

// Cleared is a value that says nothing: null, or "" if that is how it was said.
func Cleared(value types.String) types.String {
	if Known(value) && value.ValueString() == "" {
		return value
	}
	return types.StringNull()
}

// Qualified is an image reference as namespace/name; "" if there is none.
func Qualified(reference types.String, namespace string) string {
	if !Set(reference) {
		return ""
	}
	namespace, name, err := tfbase.ParseReference(reference.ValueString(), namespace)
	if err != nil {
		return reference.ValueString() // validation refuses it
	}
	return tfbase.ID(namespace, name)
}

// Bytes is the value of a quantity; 0 if it is none, which validation refuses.
func Bytes(quantity string) int64 {
	parsed, err := resource.ParseQuantity(quantity)
	if err != nil {
		return 0
	}
	return parsed.Value()
}
