// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package objects

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
)

// Foreign describes an object that has the name of a wanted one, and that others made.
type Foreign struct {
	// Type is the resource that could manage it, and ID its id there.
	Type, ID string
	// One is the kind with its article, as in "an SSH key"; Short is what to call it after that.
	One, Short string
	// Instead is one more way out, as in ", or refer to it with a data source".
	Instead string
}

// exists refuses to take what belongs to others, and says how to do it on purpose.
func (f Foreign) exists(existing metav1.Object) diag.Diagnostic {
	return f.diagnostic("already exists", fmt.Sprintf(
		"There is %s %q in the cluster already, made outside of this Terraform state. Nothing was created or changed.\n\n%s%s",
		f.One, f.ID, f.wayOut(), f.likely(existing)))
}

// underWay refuses what another run is about to make.
func (f Foreign) underWay(theirs mark) diag.Diagnostic {
	return f.diagnostic("is being created", fmt.Sprintf(
		"The %s %q is being created by %s. Nothing was created or changed here.\n\n"+
			"If two configurations want the same %s, remove it from one of them. If that run was interrupted, apply again in about a minute: "+
			"what it began is then taken over.", f.kind(), f.ID, theirs.describe(time.Now(), self()), f.Short))
}

// begunOtherwise refuses what an interrupted creation made with other settings.
func (f Foreign) begunOtherwise() diag.Diagnostic {
	return f.diagnostic("already exists", fmt.Sprintf(
		"There is %s %q in the cluster already, left behind by an apply that was interrupted while it created it, with other settings than those configured now. "+
			"Nothing was created or changed.\n\nDelete it in Harvester's dashboard and apply again if nobody needs it. %s", f.One, f.ID, f.wayOut()))
}

func (f Foreign) diagnostic(what, detail string) diag.Diagnostic {
	kind := f.kind()
	return diag.NewAttributeErrorDiagnostic(path.Root("name"), strings.ToUpper(kind[:1])+kind[1:]+" "+what, detail)
}

func (f Foreign) kind() string {
	_, kind, _ := strings.Cut(f.One, " ")
	return kind
}

func (f Foreign) wayOut() string {
	return fmt.Sprintf("To manage that %s here, import it:\n  terraform import %s.<name> %s\nOtherwise choose another name%s.", f.Short, f.Type, f.ID, f.Instead)
}

// likely names the usual mistakes where the object was made with this provider.
func (f Foreign) likely(existing metav1.Object) string {
	ours := slices.ContainsFunc(existing.GetManagedFields(), func(entry metav1.ManagedFieldsEntry) bool { return entry.Manager == kube.FieldManager })
	if !ours {
		return ""
	}
	return fmt.Sprintf("\n\nThis provider made it: in another workspace or configuration, for another block with the same name, or for this very resource before. "+
		"With create_before_destroy the new %[1]s would have to exist beside the old one, which takes another name. A block or a for_each key that was renamed needs a moved block.", f.Short)
}
