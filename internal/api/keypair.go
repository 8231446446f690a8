// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package api

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// KeyPairs is the resource of KeyPair.
var KeyPairs = schema.GroupVersionResource{Group: "harvesterhci.io", Version: "v1beta1", Resource: "keypairs"}

// ConditionValidated tells whether Harvester found a KeyPair's key to be one.
const ConditionValidated = "validated"

// KeyPair is an SSH public key that virtual machines refer to by name.
type KeyPair struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec   KeyPairSpec   `json:"spec"`
	Status KeyPairStatus `json:"status,omitempty"`
}

// KeyPairSpec holds the key in authorized_keys form.
type KeyPairSpec struct {
	PublicKey string `json:"publicKey"`
}

// KeyPairStatus holds what Harvester computed from the key.
type KeyPairStatus struct {
	FingerPrint string      `json:"fingerPrint,omitempty"`
	Conditions  []Condition `json:"conditions,omitempty"`
}
