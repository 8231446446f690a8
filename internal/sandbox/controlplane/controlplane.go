// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

// Package controlplane runs a Kubernetes control plane inside this process: the
// real etcd and kube-apiserver, and the controllers that deletion needs.
package controlplane

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"k8s.io/client-go/rest"
)

// stopTimeout is how long an API server with open requests gets to end.
const stopTimeout = 3 * time.Second

// Options say where a control plane keeps its state and where it listens.
type Options struct {
	// Dir keeps certificates, tokens and the database.
	Dir string
	// Listener is where kube-apiserver listens.
	Listener net.Listener
	// LogFile takes etcd's log.
	LogFile string
}

// ControlPlane is a running control plane.
type ControlPlane struct {
	dir       string
	address   string
	authority *Authority
	tokens    tokens
	etcd      *etcd

	cancel context.CancelFunc
	ended  chan struct{}
	err    error
}

// Start starts etcd and kube-apiserver and returns when both are ready. The
// control plane runs until Stop.
func Start(ctx context.Context, options Options) (*ControlPlane, error) {
	c, err := open(options)
	if err != nil {
		return nil, err
	}
	c.etcd, err = startEtcd(ctx, filepath.Join(c.dir, "etcd"), options.LogFile, c.authority)
	if err != nil {
		return nil, err
	}
	serving, cancel := context.WithCancel(context.WithoutCancel(ctx))
	c.cancel = cancel
	go func() {
		defer close(c.ended)
		c.err = c.runAPIServer(serving, options.Listener)
	}()
	if err := c.waitReady(ctx); err != nil {
		c.Stop()
		return nil, err
	}
	return c, nil
}

func open(options Options) (*ControlPlane, error) {
	if err := os.MkdirAll(options.Dir, 0o700); err != nil {
		return nil, err
	}
	authority, err := OpenAuthority(filepath.Join(options.Dir, "certificates"))
	if err != nil {
		return nil, err
	}
	tokens, err := openTokens(filepath.Join(options.Dir, "tokens"))
	if err != nil {
		return nil, err
	}
	return &ControlPlane{
		dir:       options.Dir,
		address:   "https://" + options.Listener.Addr().String(),
		authority: authority,
		tokens:    tokens,
		ended:     make(chan struct{}),
	}, nil
}

// Stop ends kube-apiserver, then etcd.
func (c *ControlPlane) Stop() {
	c.cancel()
	select {
	case <-c.ended:
	case <-time.After(stopTimeout):
	}
	c.etcd.stop()
}

// Wait returns why kube-apiserver has ended, or nil when ctx ends.
func (c *ControlPlane) Wait(ctx context.Context) error {
	select {
	case <-c.ended:
		return fmt.Errorf("it has ended: %w", c.err)
	case <-ctx.Done():
		return nil
	}
}

// Authority signs the certificates of everything that serves HTTPS here.
func (c *ControlPlane) Authority() *Authority { return c.authority }

// Address is the URL of kube-apiserver.
func (c *ControlPlane) Address() string { return c.address }

// Token is the token of a user.
func (c *ControlPlane) Token(user User) (string, error) { return c.tokens.read(user) }

// Config connects a user to kube-apiserver. The token and the authority are
// given as files, because Harvester's webhooks read them from there.
func (c *ControlPlane) Config(user User) *rest.Config {
	return &rest.Config{
		Host:            c.address,
		BearerTokenFile: c.tokens.file(user),
		TLSClientConfig: rest.TLSClientConfig{CAFile: c.authority.CAFile()},
		UserAgent:       user.shortName(),
		// Everything is local; the server's own fairness is enough.
		QPS: -1,
	}
}
