// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package progress

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"golang.org/x/term"

	"github.com/harvester-community/terraform-provider-harvester/internal/diagnose"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
)

const usage = `Usage: terraform-provider-harvester watch [flags]

Shows the images that a cluster is importing, until interrupted: as bars on a terminal, else as
lines. The cluster is found as the
provider finds it: by these flags, which are the provider's arguments, by its environment
variables, or else where kubectl looks. A token is taken from the environment only, because
flags show in the list of processes.

  --once                          tell how they are now, and end
  --namespace NAME                only images of this namespace
` + kube.FlagUsage

// Command runs "watch" with the arguments after that word, for the provider of that version. The cluster is
// given by flags or, through env, by the variables that the provider itself uses.
func Command(ctx context.Context, version string, arguments []string, env func(string) string, out, trouble io.Writer) (code int) {
	given, err := parse(arguments)
	switch {
	case errors.Is(err, flag.ErrHelp):
		_, _ = fmt.Fprint(out, usage)
		return 0
	case err != nil:
		_, _ = fmt.Fprintf(trouble, "%s\n\n%s", err, usage)
		return 2
	}
	connection, err := given.settings.Connection(env)
	if err != nil {
		return fail(trouble, err)
	}
	client, err := kube.Connect(connection, "terraform-provider-harvester/"+version+" watch")
	if err != nil {
		return fail(trouble, err)
	}
	if given.once {
		err = once(ctx, client.Dynamic(), given.namespace, out)
	} else {
		err = watch(ctx, client, given.namespace, out, trouble)
	}
	if err != nil {
		return fail(trouble, err)
	}
	return 0
}

func watch(ctx context.Context, client *kube.Client, namespace string, out, trouble io.Writer) error {
	if err := probe(ctx, client.Dynamic(), namespace); err != nil {
		return err
	}
	_, _ = fmt.Fprintf(trouble, "Images being imported on %s (Ctrl-C ends):\n", client.Host())
	file, isFile := out.(*os.File)
	return Watch(ctx, client.Dynamic(), namespace, out, isFile && term.IsTerminal(int(file.Fd())))
}

// flags are what the command was given.
type flags struct {
	namespace string
	once      bool
	settings  kube.Settings
}

// parse reads the flags. Those of the connection are the provider's arguments.
func parse(arguments []string) (given flags, err error) {
	given.settings = kube.Settings{}
	set := flag.NewFlagSet("watch", flag.ContinueOnError)
	set.SetOutput(io.Discard)
	set.Usage = func() {}
	set.StringVar(&given.namespace, "namespace", "", "")
	set.BoolVar(&given.once, "once", false, "")
	given.settings.Flags(set)
	if err := set.Parse(arguments); err != nil {
		return given, err
	}
	if set.NArg() > 0 {
		return given, fmt.Errorf("unexpected argument: %q", set.Arg(0))
	}
	return given, nil
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
