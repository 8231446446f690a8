// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package functions

import (
	"context"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/function"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
)

// parseID splits the id of an object.
type parseID struct{}

// parsedID is what parseID returns.
type parsedID struct {
	Namespace types.String `tfsdk:"namespace"`
	Name      types.String `tfsdk:"name"`
}

// Metadata names the function.
func (parseID) Metadata(_ context.Context, _ function.MetadataRequest, resp *function.MetadataResponse) {
	resp.Name = "parse_id"
}

// Definition describes the function.
func (parseID) Definition(_ context.Context, _ function.DefinitionRequest, resp *function.DefinitionResponse) {
	resp.Definition = function.Definition{
		Summary: "Namespace and name in the id of an object",
		MarkdownDescription: "Splits an id such as `default/ubuntu` into an object with `namespace` and `name`. " +
			"The id of an object without a namespace, such as a storage class, is its name; its `namespace` is null.",
		Parameters: []function.Parameter{function.StringParameter{
			Name: "id", MarkdownDescription: "The id of a resource or data source of this provider, or what one refers to another by.",
		}},
		Return: function.ObjectReturn{AttributeTypes: map[string]attr.Type{"namespace": types.StringType, "name": types.StringType}},
	}
}

// Run splits the id.
func (parseID) Run(ctx context.Context, req function.RunRequest, resp *function.RunResponse) {
	var id string
	if resp.Error = req.Arguments.Get(ctx, &id); resp.Error != nil {
		return
	}
	parsed, err := parse(id)
	if err != nil {
		resp.Error = function.NewArgumentFuncError(0, "The id is wrong: "+err.Error())
		return
	}
	resp.Error = resp.Result.Set(ctx, parsed)
}

func parse(id string) (parsedID, error) {
	if !strings.Contains(id, "/") && len(validation.IsDNS1123Subdomain(id)) == 0 {
		return parsedID{Namespace: types.StringNull(), Name: types.StringValue(id)}, nil
	}
	namespace, name, err := tfbase.ParseID(id)
	return parsedID{Namespace: types.StringValue(namespace), Name: types.StringValue(name)}, err
}
