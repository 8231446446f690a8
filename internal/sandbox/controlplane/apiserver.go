// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package controlplane

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"time"

	"github.com/spf13/pflag"
	utilerrors "k8s.io/apimachinery/pkg/util/errors"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/kubernetes/cmd/kube-apiserver/app"
	"k8s.io/kubernetes/cmd/kube-apiserver/app/options"
)

// runAPIServer runs kube-apiserver on a listener until ctx ends.
func (c *ControlPlane) runAPIServer(ctx context.Context, listener net.Listener) error {
	flags, err := c.apiServerFlags(listener.Addr().(*net.TCPAddr).Port)
	if err != nil {
		return err
	}
	completed, err := completeOptions(ctx, listener, flags)
	if err != nil {
		return fmt.Errorf("configuring kube-apiserver: %w", err)
	}
	return app.Run(ctx, completed)
}

// completeOptions does what kube-apiserver's command does, which cannot be used
// itself because it takes over the process's signals.
func completeOptions(ctx context.Context, listener net.Listener, flags []string) (options.CompletedOptions, error) {
	var none options.CompletedOptions
	server := options.NewServerRunOptions()
	set := pflag.NewFlagSet("kube-apiserver", pflag.ContinueOnError)
	sections := server.Flags()
	for _, section := range sections.FlagSets {
		set.AddFlagSet(section)
	}
	if err := set.Parse(flags); err != nil {
		return none, err
	}
	server.SecureServing.Listener = listener
	if err := server.GenericServerRunOptions.ComponentGlobalsRegistry.Set(); err != nil {
		return none, err
	}
	rest.SetDefaultWarningHandler(rest.NoWarnings{})
	completed, err := server.Complete(ctx)
	if err != nil {
		return none, err
	}
	return completed, utilerrors.NewAggregate(completed.Validate())
}

func (c *ControlPlane) apiServerFlags(port int) ([]string, error) {
	certificateFile, keyFile, err := c.authority.Issue("kube-apiserver")
	if err != nil {
		return nil, err
	}
	signingKey, err := c.authority.signingKey()
	if err != nil {
		return nil, err
	}
	table, err := c.tokens.table()
	if err != nil {
		return nil, err
	}
	return []string{
		"--bind-address=127.0.0.1",
		fmt.Sprintf("--secure-port=%d", port),
		"--tls-cert-file=" + certificateFile,
		"--tls-private-key-file=" + keyFile,
		"--cert-dir=" + filepath.Join(c.dir, "certificates"),
		"--etcd-servers=" + c.etcd.url,
		"--etcd-cafile=" + c.authority.CAFile(),
		"--etcd-certfile=" + c.etcd.certificateFile,
		"--etcd-keyfile=" + c.etcd.keyFile,
		"--token-auth-file=" + table,
		"--anonymous-auth=false",
		"--authorization-mode=RBAC",
		"--allow-privileged=true",
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file=" + signingKey,
		"--service-account-signing-key-file=" + signingKey,
		"--service-cluster-ip-range=10.53.0.0/16",
		// Nothing runs inside the cluster, so the server need not announce
		// itself; it refuses a loopback address here, so this one is from the
		// range for documentation.
		"--endpoint-reconciler-type=none",
		"--advertise-address=192.0.2.1",
		// Nothing makes the accounts that pods would need.
		"--disable-admission-plugins=ServiceAccount",
		"--profiling=false",
		// Watches of controllers that do not end themselves must not delay the
		// end.
		"--shutdown-watch-termination-grace-period=1s",
	}, nil
}

// waitReady returns when the API server answers that it is ready, or the error
// it ended with.
func (c *ControlPlane) waitReady(ctx context.Context) error {
	client, err := kubernetes.NewForConfig(c.Config(Admin))
	if err != nil {
		return err
	}
	for {
		err := client.Discovery().RESTClient().Get().AbsPath("/readyz").Do(ctx).Error()
		if err == nil {
			return nil
		}
		select {
		case <-c.ended:
			return fmt.Errorf("kube-apiserver ended: %w", c.err)
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}
