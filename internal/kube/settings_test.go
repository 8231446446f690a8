// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package kube

import "testing"

func TestSettings(t *testing.T) {
	t.Parallel()
	full := map[string]string{EnvKubeconfig: "env-file", EnvKubecontext: "env-context", EnvHost: "env-host", EnvToken: "env-token"}
	for name, test := range map[string]struct {
		settings Settings
		env      map[string]string
		want     Connection
	}{
		"nothing":                     {},
		"kubeconfig":                  {settings: Settings{FieldKubeconfig: "file"}, env: full, want: Connection{Kubeconfig: "file", Context: "env-context"}},
		"context":                     {settings: Settings{FieldKubecontext: "ctx"}, env: full, want: Connection{Kubeconfig: "env-file", Context: "ctx"}},
		"host":                        {settings: Settings{FieldHost: "host"}, env: full, want: Connection{Host: "host", Token: "env-token"}},
		"token":                       {settings: Settings{FieldToken: "token"}, env: full, want: Connection{Host: "env-host", Token: "token"}},
		"host and kubeconfig":         {settings: Settings{FieldHost: "host", FieldKubeconfig: "file"}, want: Connection{Host: "host", Kubeconfig: "file"}},
		"kubeconfig of the env":       {env: map[string]string{EnvKubeconfig: "env-file"}, want: Connection{Kubeconfig: "env-file"}},
		"host of the env":             {env: map[string]string{EnvHost: "h", EnvToken: "t", EnvInsecure: "true"}, want: Connection{Host: "h", Token: "t", Insecure: true}},
		"set beats env":               {settings: Settings{FieldInsecure: "false"}, env: map[string]string{EnvInsecure: "true"}},
		"empty beats env":             {settings: Settings{FieldProxyURL: ""}, env: map[string]string{EnvProxyURL: "p"}},
		"certificate and proxy, both": {env: map[string]string{EnvCACertificate: "ca", EnvProxyURL: "p"}, want: Connection{CACertificate: "ca", ProxyURL: "p"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := test.settings.Connection(func(key string) string { return test.env[key] })
			if err != nil || got != test.want {
				t.Errorf("got %+v, want %+v (%v)", got, test.want, err)
			}
		})
	}
	if _, err := (Settings{}).Connection(func(key string) string { return map[string]string{EnvInsecure: "perhaps"}[key] }); err == nil {
		t.Error("HARVESTER_INSECURE=perhaps is accepted")
	}
}
