// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package doctor

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"

	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
	"github.com/harvester-community/terraform-provider-harvester/internal/redact"
)

const usage = `Usage: terraform-provider-harvester doctor [flags]

Looks whether the provider can work with a cluster, and says what is wrong and what to do: the address
and its certificate, the credentials, Harvester's own API and version, the clocks, the storage classes,
and the rights for each resource. It changes nothing. It exits with 1 if it finds a problem.

The cluster is found as the provider finds it: by these flags, which are the provider's arguments, by
its environment variables, or else where kubectl looks.

  --namespace NAME                where the rights are asked for; default: default
` + kube.FlagUsage

// Command runs "doctor" with the arguments after that word, for the provider of that version. The cluster is given by
// flags or, through env, by the variables that the provider itself uses.
func Command(ctx context.Context, version string, arguments []string, env func(string) string, out, trouble io.Writer) (code int) {
	settings := kube.Settings{}
	flags := flag.NewFlagSet("doctor", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.Usage = func() {}
	namespace := flags.String("namespace", "default", "")
	settings.Flags(flags)
	err := flags.Parse(arguments)
	switch {
	case errors.Is(err, flag.ErrHelp):
		_, _ = fmt.Fprint(out, usage)
		return 0
	case err == nil && flags.NArg() > 0:
		err = fmt.Errorf("unexpected argument: %q", flags.Arg(0))
	}
	if err != nil {
		_, _ = fmt.Fprintf(trouble, "%s\n\n%s", err, usage)
		return 2
	}
	r := &report{out: out}
	if client := r.connect(settings, env, "terraform-provider-harvester/"+version+" doctor"); client != nil {
		Examine(ctx, client, *namespace, r.add)
	}
	return r.end(ctx)
}

// report writes findings as lines.
type report struct {
	out    io.Writer
	counts [2]int // problems, limits
}

// connect prepares the connection; nil if that is a problem already.
func (r *report) connect(settings kube.Settings, env func(string) string, agent string) *kube.Client {
	const subject = "configuration"
	connection, err := settings.Connection(env)
	var client *kube.Client
	if err == nil {
		client, err = kube.Connect(connection, agent)
	}
	if err != nil {
		r.add(Finding{Subject: subject, Verdict: Problem, Said: redact.Text(err.Error())})
		return nil
	}
	r.add(Finding{Subject: subject, Verdict: OK, Said: connection.Origin()})
	return client
}

func (r *report) add(found Finding) {
	switch found.Verdict {
	case Problem:
		r.counts[0]++
	case Limit:
		r.counts[1]++
	case OK:
	}
	_, _ = fmt.Fprintf(r.out, "%-8s %-16s %s\n", found.Verdict, found.Subject, indented(found.Said))
	if found.Remedy != "" {
		_, _ = fmt.Fprintf(r.out, "%26s%s\n", "-> ", indented(found.Remedy))
	}
}

// indented keeps the lines of a text in their column.
func indented(text string) string {
	return strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n"+strings.Repeat(" ", 26))
}

func (r *report) end(ctx context.Context) (code int) {
	switch {
	case ctx.Err() != nil:
		_, _ = fmt.Fprintln(r.out, "\nInterrupted.")
		return 1
	case r.counts[0] > 0:
		_, _ = fmt.Fprintf(r.out, "\nProblems: %d. Limits: %d.\n", r.counts[0], r.counts[1])
		return 1
	case r.counts[1] > 0:
		_, _ = fmt.Fprintf(r.out, "\nNo problem. Limits: %d.\n", r.counts[1])
		return 0
	}
	_, _ = fmt.Fprintln(r.out, "\nNo problem.")
	return 0
}
