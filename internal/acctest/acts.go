// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package acctest

import (
	"context"
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
)

// Acted is what came of an action.
type Acted struct {
	// Refused and Warned are what the plan says: summaries with details. A refused action is not invoked.
	Refused, Warned []string
	// Progress is what it told meanwhile; Failed are the errors at the end.
	Progress, Failed []string
}

// Acts validates, plans and invokes an action, as Terraform 1.14 does. Hear, if given, is told of each step at once.
func (c *Cluster) Acts(ctx context.Context, t *testing.T, typeName string, config map[string]any, hear func(string)) (acted Acted) {
	t.Helper()
	o, schemas := protocol(t, typeName)
	schema := schemas.ActionSchemas[typeName]
	server, ok := o.server.(tfprotov6.ActionServer)
	if schema == nil || !ok {
		t.Fatalf("there is no action %s", typeName)
	}
	given := o.dynamicOf(schema.Schema.ValueType(), filled(t, schema.Schema, config))
	validated, err := server.ValidateActionConfig(ctx, &tfprotov6.ValidateActionConfigRequest{ActionType: typeName, Config: given})
	if err != nil {
		t.Fatal(err)
	}
	planned, err := server.PlanAction(ctx, &tfprotov6.PlanActionRequest{ActionType: typeName, Config: given})
	if err != nil {
		t.Fatal(err)
	}
	acted.Refused, acted.Warned = told(append(validated.Diagnostics, planned.Diagnostics...))
	if len(acted.Refused) > 0 {
		return acted
	}
	acted.Progress, acted.Failed = o.invoke(ctx, server, typeName, given, hear)
	return acted
}

// Invokes invokes an action without a plan, as where its plan was made while things were otherwise.
func (c *Cluster) Invokes(ctx context.Context, t *testing.T, typeName string, config map[string]any) (acted Acted) {
	t.Helper()
	o, schemas := protocol(t, typeName)
	schema := schemas.ActionSchemas[typeName].Schema
	server, _ := o.server.(tfprotov6.ActionServer)
	acted.Progress, acted.Failed = o.invoke(ctx, server, typeName, o.dynamicOf(schema.ValueType(), filled(t, schema, config)), nil)
	return acted
}

func (o *official) invoke(ctx context.Context, server tfprotov6.ActionServer, typeName string, config *tfprotov6.DynamicValue, hear func(string)) (progress, failed []string) {
	o.Helper()
	stream, err := server.InvokeAction(ctx, &tfprotov6.InvokeActionRequest{ActionType: typeName, Config: config})
	if err != nil {
		o.Fatal(err)
	}
	for event := range stream.Events {
		switch event := event.Type.(type) {
		case tfprotov6.ProgressInvokeActionEventType:
			progress = append(progress, event.Message)
			if hear != nil {
				hear(event.Message)
			}
		case tfprotov6.CompletedInvokeActionEventType:
			failed, _ = told(event.Diagnostics)
		}
	}
	return progress, failed
}

// told are errors and warnings, as summary and detail.
func told(found []*tfprotov6.Diagnostic) (errors, warnings []string) {
	for _, d := range found {
		if text := d.Summary + ": " + d.Detail; d.Severity == tfprotov6.DiagnosticSeverityError {
			errors = append(errors, text)
		} else {
			warnings = append(warnings, text)
		}
	}
	return errors, warnings
}
