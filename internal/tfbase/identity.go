// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package tfbase

import (
	"context"
	"encoding/json"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/harvester-community/terraform-provider-harvester/internal/objects"
)

// PrivateReader is what can be read of the data that Terraform keeps for the provider beside the state.
type PrivateReader interface {
	GetKey(ctx context.Context, key string) ([]byte, diag.Diagnostics)
}

// Private is the data that Terraform keeps for the provider beside the state.
type Private interface {
	PrivateReader
	SetKey(ctx context.Context, key string, value []byte) diag.Diagnostics
}

// keyUID notes the UID of the object that a state means.
const keyUID = "uid"

// keyImported notes what Planning.Imported names.
const keyImported = "imported"

func imported(ctx context.Context, private PrivateReader) (names []string) {
	if text, _ := private.GetKey(ctx, keyImported); text != nil {
		_ = json.Unmarshal(text, &names) // what cannot be read is not known
	}
	return names
}

func noteImported(ctx context.Context, private Private, names []string) diag.Diagnostics {
	if len(names) == 0 {
		return private.SetKey(ctx, keyImported, nil)
	}
	text, _ := json.Marshal(names) // strings always encode
	return private.SetKey(ctx, keyImported, text)
}

// Own notes that the object is the one that the state means from now on.
func Own(ctx context.Context, private Private, object metav1.Object) diag.Diagnostics {
	text, _ := json.Marshal(object.GetUID()) // a string always encodes
	return private.SetKey(ctx, keyUID, text)
}

// Identity is what the state knows its object by.
func Identity(ctx context.Context, private PrivateReader, what string, key Keyed) objects.Identity {
	identity := objects.Identity{Title: Title(what, key), UID: uidOf(ctx, private)}
	identity.Namespace, identity.Name = key.Key()
	return identity
}

func uidOf(ctx context.Context, private PrivateReader) (uid types.UID) {
	if text, _ := private.GetKey(ctx, keyUID); text != nil {
		_ = json.Unmarshal(text, &uid) // what cannot be read is not known
	}
	return uid
}

// Recognize says whether what a Read found is the object that the state means, with a warning if it is
// not. A state that does not know takes the first one it sees.
func Recognize(ctx context.Context, private Private, identity objects.Identity, object metav1.Object) (ours bool, diags diag.Diagnostics) {
	switch {
	case !identity.Is(object):
		return false, diag.Diagnostics{identity.Replaced()}
	case identity.UID != object.GetUID():
		return true, Own(ctx, private, object)
	}
	return true, nil
}
