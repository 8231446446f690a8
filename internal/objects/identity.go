// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package objects

import (
	"context"
	"fmt"
	"maps"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
)

// Identity is what an object of a state is known by: the name finds it, the UID tells it from
// others that have had the name.
type Identity struct {
	// Title names the object in messages, such as `SSH key "default/laptop"`.
	Title           string
	Namespace, Name string
	// UID is "" in states that do not tell: after an import, or written by the official provider.
	UID types.UID
}

// Is says that an object which has the name is the one that the state means, or was made for it, as a
// claim is for a data volume.
func (i Identity) Is(object metav1.Object) bool {
	if i.UID == "" || i.UID == object.GetUID() {
		return true
	}
	controller := metav1.GetControllerOfNoCopy(object)
	return controller != nil && controller.UID == i.UID
}

// Replaced is the warning that others have put another object in the place of ours.
func (i Identity) Replaced() diag.Diagnostic {
	return diag.NewWarningDiagnostic("Made anew by others", fmt.Sprintf(
		"The %s that this state knows is gone, and others have made another one of the same name. What is shown is that one; "+
			"apply neither changes nor deletes it.\n\n%s", i.Title, i.takeIt()))
}

// NotOurs refuses to change what others have put in the place of ours.
func (i Identity) NotOurs() diag.Diagnostic {
	return diag.NewErrorDiagnostic("Made anew by others", fmt.Sprintf(
		"The %s that this state knows is gone, and others have made another one of the same name. That one was left as it is.\n\n%s", i.Title, i.takeIt()))
}

func (i Identity) takeIt() string {
	return "To manage the new one here, forget the old one with terraform state rm, and import it. To have one of your own beside it, choose another name."
}

// LeftInPlace tells, after a deletion, that what has the name was not deleted.
func (i Identity) LeftInPlace() diag.Diagnostic {
	return diag.NewWarningDiagnostic("Not deleted", fmt.Sprintf(
		"The %s that this state knew is gone already. Others have made another one of the same name, which was left as it is. Terraform does not manage it.", i.Title))
}

// Change sends a merge patch to the object and returns it as it is then. An empty patch is not
// sent. Another object of the name is left as it is.
func Change[T any, P Object[T]](ctx context.Context, kind kube.Resource[T], identity Identity, patch map[string]any) (P, error) {
	if len(patch) == 0 {
		object, err := kind.Get(ctx, identity.Namespace, identity.Name)
		if err == nil && !identity.Is(P(object)) {
			return nil, &DescribedError{diag.Diagnostics{identity.NotOurs()}}
		}
		return object, err
	}
	object, err := kind.Patch(ctx, identity.Namespace, identity.Name, With(patch, identity.UID))
	if replaced[T, P](ctx, kind, identity, err) {
		return nil, &DescribedError{diag.Diagnostics{identity.NotOurs()}}
	}
	return object, err
}

// With is a merge patch that is refused, with a Conflict, if the object has another UID; "" means
// any. The patch itself stays as it is.
func With(patch map[string]any, uid types.UID) map[string]any {
	if uid == "" {
		return patch
	}
	metadata := map[string]any{}
	if given, ok := patch["metadata"].(map[string]any); ok {
		maps.Copy(metadata, given)
	}
	metadata["uid"] = uid
	result := maps.Clone(patch)
	result["metadata"] = metadata
	return result
}

// replaced says that a request failed because the object has another UID.
func replaced[T any, P Object[T]](ctx context.Context, kind kube.Resource[T], identity Identity, err error) bool {
	if identity.UID == "" || !apierrors.IsConflict(err) {
		return false
	}
	object, lookErr := kind.Get(ctx, identity.Namespace, identity.Name)
	return lookErr == nil && !identity.Is(P(object))
}

// ChangeFailed describes a change that did not succeed.
func ChangeFailed(title string, err error) diag.Diagnostics {
	return Failed("change", title, Unchanged(err), err)
}
