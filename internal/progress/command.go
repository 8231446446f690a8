// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package progress

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"

	"github.com/harvester-community/terraform-provider-harvester/internal/diagnose"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
)

const usage = `Usage: terraform-provider-harvester watch [flags]

Shows the images that a cluster is importing, until interrupted. The cluster is found as the
provider finds it: by these flags, which are the provider's arguments, by its environment
variables, or else where kubectl looks. A token is taken from the environment only, because
flags show in the list of processes.

  --namespace NAME                only images of this namespace
  --kubeconfig PATH               kubeconfig (` + kube.EnvKubeconfig + `)
  --kubecontext NAME              context of the kubeconfig (` + kube.EnvKubecontext + `)
  --host URL                      address of Harvester, instead of a kubeconfig (` + kube.EnvHost + `)
                                  with the API key in ` + kube.EnvToken + `
  --cluster_ca_certificate PEM    CA certificate of the cluster (` + kube.EnvCACertificate + `)
  --insecure                      do not verify that certificate (` + kube.EnvInsecure + `)
  --proxy_url URL                 proxy for all requests (` + kube.EnvProxyURL + `)
`

// Command runs "watch" with the arguments after that word, for the provider of that version. The cluster is
// given by flags or, through env, by the variables that the provider itself uses.
func Command(ctx context.Context, version string, arguments []string, env func(string) string, out, trouble io.Writer) (code int) {
	namespace, settings, err := parse(arguments)
	switch {
	case errors.Is(err, flag.ErrHelp):
		_, _ = fmt.Fprint(out, usage)
		return 0
	case err != nil:
		_, _ = fmt.Fprintf(trouble, "%s\n\n%s", err, usage)
		return 2
	}
	connection, err := settings.Connection(env)
	if err != nil {
		return fail(trouble, err)
	}
	client, err := kube.Connect(connection, "terraform-provider-harvester/"+version+" watch")
	if err != nil {
		return fail(trouble, err)
	}
	if err := probe(ctx, client.Dynamic(), namespace); err != nil {
		return fail(trouble, err)
	}
	_, _ = fmt.Fprintf(trouble, "Images being imported on %s (Ctrl-C ends):\n", client.Host())
	if err := Watch(ctx, client.Dynamic(), namespace, out); err != nil {
		return fail(trouble, err)
	}
	return 0
}

// parse reads the flags. Those of the connection are the provider's arguments.
func parse(arguments []string) (namespace string, settings kube.Settings, err error) {
	settings = kube.Settings{}
	flags := flag.NewFlagSet("watch", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.Usage = func() {}
	flags.StringVar(&namespace, "namespace", "", "")
	set := func(field string) func(string) error {
		return func(value string) error {
			settings[field] = value
			return nil
		}
	}
	for _, field := range []string{kube.FieldKubeconfig, kube.FieldKubecontext, kube.FieldHost, kube.FieldCACertificate, kube.FieldProxyURL} {
		flags.Func(field, "", set(field))
	}
	flags.BoolFunc(kube.FieldInsecure, "", set(kube.FieldInsecure))
	if err := flags.Parse(arguments); err != nil {
		return "", nil, err
	}
	if flags.NArg() > 0 {
		return "", nil, fmt.Errorf("unexpected argument: %q", flags.Arg(0))
	}
	return namespace, settings, nil
}

func fail(trouble io.Writer, err error) (code int) {
	if mistake := (*kube.ConfigError)(nil); errors.As(err, &mistake) {
		_, _ = fmt.Fprintf(trouble, "Cannot watch the images: %s\n", mistake.Detail)
		return 1
	}
	found := diagnose.API("watch", "images", "", err)
	_, _ = fmt.Fprintf(trouble, "%s: %s\n", found.Summary(), found.Detail())
	return 1
}
