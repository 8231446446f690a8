// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

// Package kube connects to a Harvester cluster and reads and writes its
// objects. It knows nothing of Terraform.
package kube

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// Connection says how to reach a cluster: by a kubeconfig, or by host and
// token. Zero fields are not set. Insecure, CACertificate and ProxyURL apply to both.
type Connection struct {
	// Kubeconfig is a path (~ is expanded), the base64 form or the YAML text.
	// Empty means KUBECONFIG and the usual places.
	Kubeconfig string
	// Context selects a context of the kubeconfig; empty means the current one.
	Context string

	Host          string
	Token         string
	CACertificate string // PEM
	Insecure      bool
	ProxyURL      string
}

// ConfigError is a mistake in a Connection. Field is the provider argument to
// blame, empty if there is none. It never holds a secret.
type ConfigError struct {
	Field  string
	Detail string
}

func (e *ConfigError) Error() string { return e.Detail }

func configError(field, format string, args ...any) error {
	return &ConfigError{Field: field, Detail: fmt.Sprintf(format, args...)}
}

// Provider arguments that a ConfigError can blame.
const (
	FieldKubeconfig    = "kubeconfig"
	FieldKubecontext   = "kubecontext"
	FieldHost          = "host"
	FieldToken         = "token"
	FieldCACertificate = "cluster_ca_certificate"
	FieldInsecure      = "insecure"
	FieldProxyURL      = "proxy_url"
)

// restConfig turns the connection into client-go's form. Errors are *ConfigError.
func (c Connection) restConfig() (*rest.Config, error) {
	config, err := c.base()
	if err != nil {
		return nil, err
	}
	if err := c.override(config); err != nil {
		return nil, err
	}
	return config, nil
}

func (c Connection) base() (*rest.Config, error) {
	switch {
	case c.Host != "":
		return c.fromHost()
	case c.Token != "":
		return nil, configError(FieldToken, "A token needs a host to go with it. Set host too, or use a kubeconfig, which holds its own token.")
	case c.Kubeconfig != "":
		return c.fromKubeconfig()
	}
	return c.fromDefaults()
}

func (c Connection) fromHost() (*rest.Config, error) {
	if c.Kubeconfig != "" {
		return nil, configError(FieldHost, "Both kubeconfig and host are set, and they could name different clusters. Keep one of them.")
	}
	if c.Context != "" {
		return nil, configError(FieldKubecontext, "A kubecontext selects from a kubeconfig, but the cluster is given by host. Remove one of them.")
	}
	if c.Token == "" {
		return nil, configError(FieldToken, "The cluster is given by host, and that needs a token. "+
			"Create one in Harvester (account menu, API keys) or use a kubeconfig.")
	}
	address, err := url.Parse(c.Host)
	if err != nil || address.Host == "" || address.Scheme != "https" && address.Scheme != "http" {
		return nil, configError(FieldHost, "The host must be a URL such as https://harvester.example.com, but it is %q.", c.Host)
	}
	return &rest.Config{Host: c.Host, BearerToken: c.Token}, nil
}

func (c Connection) fromKubeconfig() (*rest.Config, error) {
	text, origin, err := kubeconfigText(c.Kubeconfig)
	if err != nil {
		return nil, err
	}
	file, err := clientcmd.Load(text)
	if err != nil {
		// The error of a YAML parser can quote its input, which holds secrets.
		return nil, configError(FieldKubeconfig, "The kubeconfig (%s) is not valid: it cannot be read as YAML of kind Config.", origin)
	}
	// Certificate files in a kubeconfig are relative to the kubeconfig.
	if path, ok := strings.CutPrefix(origin, "file "); ok {
		for _, cluster := range file.Clusters {
			cluster.LocationOfOrigin = path
		}
		for _, user := range file.AuthInfos {
			user.LocationOfOrigin = path
		}
		if err := clientcmd.ResolveLocalPaths(file); err != nil {
			return nil, configError(FieldKubeconfig, "The certificate paths in the kubeconfig (%s) cannot be resolved: %s.", origin, err)
		}
	}
	if c.Context != "" && file.Contexts[c.Context] == nil {
		return nil, configError(FieldKubecontext, "The kubeconfig (%s) has no context %q. It has: %s.", origin, c.Context, names(file.Contexts))
	}
	config, err := clientcmd.NewNonInteractiveClientConfig(*file, c.Context, &clientcmd.ConfigOverrides{}, nil).ClientConfig()
	if err != nil {
		return nil, configError(FieldKubeconfig, "The kubeconfig (%s) cannot be used: %s.", origin, err)
	}
	return config, nil
}

// fromDefaults follows kubectl: KUBECONFIG, ~/.kube/config, in-cluster.
func (c Connection) fromDefaults() (*rest.Config, error) {
	loader := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(
		clientcmd.NewDefaultClientConfigLoadingRules(), &clientcmd.ConfigOverrides{CurrentContext: c.Context})
	config, err := loader.ClientConfig()
	if err == nil {
		return config, nil
	}
	if clientcmd.IsEmptyConfig(err) {
		return nil, configError("", "No cluster is configured. Set kubeconfig (or host and token) in the provider block, or one of the "+
			"environment variables HARVESTER_KUBECONFIG, KUBECONFIG, HARVESTER_HOST with HARVESTER_TOKEN. "+
			"Harvester's dashboard offers a kubeconfig under Support.")
	}
	return nil, configError(FieldKubecontext, "The kubeconfig of the environment (KUBECONFIG or ~/.kube/config) cannot be used: %s.", err)
}

func (c Connection) override(config *rest.Config) error {
	if c.Insecure && c.CACertificate != "" {
		return configError(FieldInsecure, "insecure turns verification off, so cluster_ca_certificate has no use. Remove one of them.")
	}
	if c.Insecure {
		config.TLSClientConfig.Insecure = true
		config.TLSClientConfig.CAData, config.TLSClientConfig.CAFile = nil, ""
	}
	if c.CACertificate != "" {
		if !strings.Contains(c.CACertificate, "-----BEGIN CERTIFICATE-----") {
			return configError(FieldCACertificate, "The certificate must be in PEM form, beginning with -----BEGIN CERTIFICATE-----.")
		}
		config.TLSClientConfig.Insecure = false
		config.TLSClientConfig.CAData, config.TLSClientConfig.CAFile = []byte(c.CACertificate), ""
	}
	if c.ProxyURL == "" {
		return nil
	}
	proxy, err := url.Parse(c.ProxyURL)
	if err != nil || proxy.Host == "" {
		return configError(FieldProxyURL, "The proxy must be a URL such as http://proxy.example.com:3128.")
	}
	config.Proxy = http.ProxyURL(proxy)
	return nil
}

// kubeconfigText returns the kubeconfig and where it comes from. A value that
// is YAML or decodes from base64 to YAML is the text itself, all else is a path.
func kubeconfigText(value string) (text []byte, origin string, err error) {
	trimmed := strings.TrimSpace(value)
	if looksLikeKubeconfig(trimmed) {
		return []byte(trimmed), "given as text", nil
	}
	if decoded, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(trimmed), "")); err == nil && looksLikeKubeconfig(string(decoded)) {
		return decoded, "given as base64", nil
	}
	if strings.ContainsAny(trimmed, "\n") || len(trimmed) > 4096 {
		return nil, "", configError(FieldKubeconfig, "The kubeconfig is neither the path of a file, nor base64 of a kubeconfig, nor its YAML text (with apiVersion, clusters and contexts).")
	}
	path, err := expandHome(trimmed)
	if err != nil {
		return nil, "", err
	}
	text, err = os.ReadFile(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, "", configError(FieldKubeconfig, "There is no kubeconfig file %q. The value may also be base64 of a kubeconfig or its YAML text.", path)
	case err != nil:
		return nil, "", configError(FieldKubeconfig, "The kubeconfig file cannot be read: %s.", err)
	}
	return text, "file " + path, nil
}

func looksLikeKubeconfig(s string) bool {
	return strings.HasPrefix(strings.TrimSpace(s), "{") ||
		strings.Contains(s, "\n") && (strings.Contains(s, "clusters:") || strings.Contains(s, "kind: Config"))
}

func expandHome(path string) (string, error) {
	if path != "~" && !strings.HasPrefix(path, "~/") {
		return path, nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", configError(FieldKubeconfig, "The kubeconfig %q starts with ~, but the home directory is unknown: %s.", path, err)
	}
	return filepath.Join(home, strings.TrimPrefix(path, "~")), nil
}
