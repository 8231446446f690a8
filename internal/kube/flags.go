// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package kube

import "flag"

// FlagUsage describes the flags of Settings.Flags, for people.
const FlagUsage = `  --kubeconfig PATH               kubeconfig (` + EnvKubeconfig + `)
  --kubecontext NAME              context of the kubeconfig (` + EnvKubecontext + `)
  --host URL                      address of Harvester, instead of a kubeconfig (` + EnvHost + `)
                                  with the API key in ` + EnvToken + `
  --cluster_ca_certificate PEM    CA certificate of the cluster (` + EnvCACertificate + `)
  --insecure                      do not verify that certificate (` + EnvInsecure + `)
  --proxy_url URL                 proxy for all requests (` + EnvProxyURL + `)
`

// Flags lets flags fill the settings, by the names of the provider's arguments. There is none for the token, because
// flags show in the list of processes.
func (s Settings) Flags(flags *flag.FlagSet) {
	set := func(field string) func(string) error {
		return func(value string) error {
			s[field] = value
			return nil
		}
	}
	for _, field := range []string{FieldKubeconfig, FieldKubecontext, FieldHost, FieldCACertificate, FieldProxyURL} {
		flags.Func(field, "", set(field))
	}
	flags.BoolFunc(FieldInsecure, "", set(FieldInsecure))
}
