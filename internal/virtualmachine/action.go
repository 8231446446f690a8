// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package virtualmachine

import (
	"context"
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/types"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	kubevirtv1 "kubevirt.io/api/core/v1"

	"github.com/harvester-community/terraform-provider-harvester/internal/diagnose"
	"github.com/harvester-community/terraform-provider-harvester/internal/session"
	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
)

// machineArgument is the argument of an action that says which machine it is for.
const machineArgument = "virtual_machine"

// acted is what an action works on.
type acted struct {
	*Resource
	*model
}

// actOn is the machine of that id, which was validated.
func actOn(s *session.Session, id types.String) acted {
	r := &Resource{}
	r.connect(s)
	namespace, name, _ := tfbase.ParseID(id.ValueString())
	return acted{r, &model{Namespace: types.StringValue(namespace), Name: types.StringValue(name)}}
}

// planned is the machine as a plan sees it; nil if it is not there yet, or cannot be read.
func (a acted) planned(ctx context.Context) (*kubevirtv1.VirtualMachine, diag.Diagnostics) {
	vm, err := a.machines.Recent(ctx, a.Namespace.ValueString(), a.Name.ValueString())
	switch {
	case err == nil:
		return vm, nil
	case !apierrors.IsNotFound(err):
		return nil, a.Session.Unchecked(err)
	}
	return nil, diag.Diagnostics{diag.NewAttributeWarningDiagnostic(path.Root(machineArgument), "Virtual machine not found", fmt.Sprintf(
		"There is no %s in this cluster. That is well if this run creates it by then.\n\nRefer to the resource that does, as in harvester_virtualmachine.<name>.id.", a.title()))}
}

// look reads the machine and its instance.
func (a acted) look(ctx context.Context) (sight, diag.Diagnostics) {
	seen, err := pair(ctx, a.Namespace.ValueString(), a.Name.ValueString(), a.machines.Get, a.instances.Get)
	switch {
	case apierrors.IsNotFound(err):
		return seen, diag.Diagnostics{diag.NewAttributeErrorDiagnostic(path.Root(machineArgument), "Virtual machine not found",
			fmt.Sprintf("There is no %s in this cluster. Nothing was done.\n\nRefer to a machine as harvester_virtualmachine.<name>.id.", a.title()))}
	case err != nil:
		return seen, diag.Diagnostics{diagnose.API("read", a.title(), "Nothing was done.", err)}
	}
	return seen, nil
}
