// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package objects

import (
	"fmt"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
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

// diagnostic refuses to take what belongs to others, and says how to do it on purpose.
func (f Foreign) diagnostic() diag.Diagnostic {
	_, kind, _ := strings.Cut(f.One, " ")
	return diag.NewAttributeErrorDiagnostic(path.Root("name"), strings.ToUpper(kind[:1])+kind[1:]+" already exists", fmt.Sprintf(
		"There is %s %q in the cluster already, made outside of this Terraform state. Nothing was created or changed.\n\n"+
			"To manage that %s here, import it:\n  terraform import %s.<name> %s\nOtherwise choose another name%s.",
		f.One, f.ID, f.Short, f.Type, f.ID, f.Instead))
}
