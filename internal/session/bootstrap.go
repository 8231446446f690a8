// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package session

import "github.com/hashicorp/terraform-plugin-framework/diag"

// Bootstrap is what a provider with bootstrap = true hands to its resources instead of a session: there is no cluster to
// work on yet, only a way to reach one. Fields that are not set are zero.
type Bootstrap struct {
	CACertificate string // PEM
	Insecure      bool
	ProxyURL      string
}

// unfit refuses what needs a cluster.
func (*Bootstrap) unfit() diag.Diagnostics {
	return diag.Diagnostics{diag.NewErrorDiagnostic("Provider in bootstrap mode",
		"A provider with bootstrap = true has no connection to the cluster: only harvester_bootstrap works with it.\n\n"+
			"Give harvester_bootstrap a provider of its own, with an alias, and all else a provider with a kubeconfig.")}
}
