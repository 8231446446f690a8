// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

// Package kube connects to a Harvester cluster and reads and writes its
// objects. It knows nothing of Terraform.
package kube

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"k8s.io/client-go/rest"

	"github.com/harvester-community/terraform-provider-harvester/internal/redact"
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
	return &ConfigError{Field: field, Detail: redact.Text(fmt.Sprintf(format, args...))}
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

// Origin tells where the way to the cluster is said, without a secret, for messages.
func (c Connection) Origin() string {
	switch {
	case c.Host != "":
		return "host and token"
	case c.Kubeconfig == "":
		return "the kubeconfig that kubectl uses"
	}
	_, origin, err := kubeconfigText(c.Kubeconfig)
	if err != nil {
		return "a kubeconfig"
	}
	return "kubeconfig " + redact.Line(origin)
}

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
	if fault := hostFault(c.Host); fault != "" {
		// The value is not shown: it may be a token that ended up in the wrong argument.
		return nil, configError(FieldHost, "The host must be a URL such as https://harvester.example.com, but %s.", fault)
	}
	return &rest.Config{Host: c.Host, BearerToken: c.Token}, nil
}

// hostFault says what is wrong with a host, without repeating it; "" if nothing is.
func hostFault(host string) string {
	address, err := url.Parse(host)
	switch {
	case err != nil:
		return "it is no URL"
	case address.Scheme != "https" && address.Scheme != "http":
		return "it does not begin with https://"
	case address.Hostname() == "":
		return "no name of a host stands in it"
	case address.User != nil:
		return "it holds credentials; those belong in token"
	case address.RawQuery != "" || address.Fragment != "":
		return "something follows the address, after a question mark or number sign"
	}
	return ""
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
