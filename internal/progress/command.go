// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package progress

import (
	"context"
	"flag"
	"fmt"
	"io"

	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
	"github.com/harvester-community/terraform-provider-harvester/internal/redact"
)

const usage = `Usage: terraform-provider-harvester watch [flags]

Shows the images that the cluster is importing, until interrupted.

`

// Command runs "watch" with the arguments after that word. The cluster is given
// by flags or, through env, by the variables that the provider itself uses.
func Command(ctx context.Context, arguments []string, env func(string) string, out, errors io.Writer) int {
	flags := flag.NewFlagSet("watch", flag.ContinueOnError)
	flags.SetOutput(errors)
	flags.Usage = func() {
		_, _ = fmt.Fprint(errors, usage)
		flags.PrintDefaults()
	}
	var connection kube.Connection
	flags.StringVar(&connection.Kubeconfig, "kubeconfig", env("HARVESTER_KUBECONFIG"), "path of the kubeconfig")
	flags.StringVar(&connection.Context, "kubecontext", env("HARVESTER_KUBECONTEXT"), "context of the kubeconfig")
	namespace := flags.String("namespace", "", "only images of this namespace")
	if err := flags.Parse(arguments); err != nil {
		return 2
	}
	client, err := kube.Connect(connection, "terraform-provider-harvester watch")
	if err == nil {
		_, _ = fmt.Fprintf(errors, "Images being imported on %s (Ctrl-C ends):\n", client.Host())
		err = Watch(ctx, client.Dynamic(), *namespace, out)
	}
	if err != nil {
		_, _ = fmt.Fprintf(errors, "Cannot watch the images: %s\n", redact.Text(err.Error()))
		return 1
	}
	return 0
}
