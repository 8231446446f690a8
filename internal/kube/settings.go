// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package kube

import "strconv"

// Environment variables that stand in for settings.
const (
	EnvKubeconfig    = "HARVESTER_KUBECONFIG"
	EnvKubecontext   = "HARVESTER_KUBECONTEXT"
	EnvHost          = "HARVESTER_HOST"
	EnvToken         = "HARVESTER_TOKEN"
	EnvCACertificate = "HARVESTER_CLUSTER_CA_CERTIFICATE"
	EnvInsecure      = "HARVESTER_INSECURE"
	EnvProxyURL      = "HARVESTER_PROXY_URL"
)

// Settings say how to reach a cluster, by the names of the provider's arguments. What is absent is left to the
// environment; what is there, be it empty, is not.
type Settings map[string]string

// Connection completes the settings with the environment. If they say how to reach the cluster (by
// kubeconfig or by host), the environment only completes that way and never adds the other one.
// The error is a *ConfigError.
func (s Settings) Connection(env func(string) string) (Connection, error) {
	byHost := s.any(FieldHost, FieldToken)
	byKubeconfig := s.any(FieldKubeconfig, FieldKubecontext)
	or := func(field, variable string) string {
		if value, set := s[field]; set {
			return value
		}
		return env(variable)
	}
	connection := Connection{CACertificate: or(FieldCACertificate, EnvCACertificate), ProxyURL: or(FieldProxyURL, EnvProxyURL)}
	if byHost || !byKubeconfig {
		connection.Host, connection.Token = or(FieldHost, EnvHost), or(FieldToken, EnvToken)
	}
	if byKubeconfig || !byHost {
		connection.Kubeconfig, connection.Context = or(FieldKubeconfig, EnvKubeconfig), or(FieldKubecontext, EnvKubecontext)
	}
	if insecure := or(FieldInsecure, EnvInsecure); insecure != "" {
		var err error
		if connection.Insecure, err = strconv.ParseBool(insecure); err != nil {
			return Connection{}, configError("", "%s must be true or false.", EnvInsecure)
		}
	}
	return connection, nil
}

func (s Settings) any(fields ...string) bool {
	for _, field := range fields {
		if _, set := s[field]; set {
			return true
		}
	}
	return false
}
