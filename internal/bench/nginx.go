// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/harvester-community/terraform-provider-harvester/internal/wait"
)

// nginxConfig lets bodies through as they come, as Harvester's ingress does, and answers too: what a watch sends is small.
const nginxConfig = `daemon off;
master_process off;
pid nginx.pid;
events {}
http {
  access_log off;
  client_body_temp_path temp; proxy_temp_path temp; fastcgi_temp_path temp; uwsgi_temp_path temp; scgi_temp_path temp;
  server {
    listen %[1]s ssl http2;
    ssl_certificate cert.pem;
    ssl_certificate_key key.pem;
    ssl_protocols TLSv1.3;
    client_max_body_size 0;
    location / {
      proxy_pass http://%[2]s;
      proxy_http_version 1.1;
      proxy_request_buffering off;
      proxy_buffering off;
    }
  }
}
`

// nginx is a running nginx in front of another server.
type nginx struct {
	address string
	// ca is the certificate it shows, in PEM form.
	ca      string
	backend *httptest.Server
	command *exec.Cmd
}

// startNginx starts one on loopback, in a folder of its own.
func startNginx(ctx context.Context, dir string, backend http.Handler) (*nginx, error) {
	dir, err := os.MkdirTemp(dir, "nginx-*")
	if err != nil {
		return nil, err
	}
	tls := (&receiver{}).start() // for its certificate only
	tls.Close()
	key, err := privateKey(tls)
	if err != nil {
		return nil, err
	}
	n := &nginx{ca: certificate(tls), backend: httptest.NewServer(backend)}
	if n.address, err = freeAddress(ctx); err != nil {
		return nil, err
	}
	config := fmt.Sprintf(nginxConfig, n.address, n.backend.Listener.Addr())
	for name, text := range map[string]string{"nginx.conf": config, "cert.pem": n.ca, "key.pem": key} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			return nil, err
		}
	}
	n.command = exec.CommandContext(ctx, program("nginx"), "-p", dir, "-c", "nginx.conf", "-e", "error.log") //nolint:gosec // found in PATH
	if err := n.command.Start(); err != nil {
		return nil, err
	}
	if err := answers(ctx, n.address); err != nil {
		n.stop()
		log, _ := os.ReadFile(filepath.Join(dir, "error.log"))
		return nil, fmt.Errorf("nginx does not answer: %w: %s", err, log)
	}
	return n, nil
}

func (n *nginx) stop() {
	_ = n.command.Process.Signal(syscall.SIGTERM)
	_ = n.command.Wait()
	n.backend.Close()
}

func freeAddress(ctx context.Context) (string, error) {
	listener, err := listen(ctx)
	if err != nil {
		return "", err
	}
	return listener.Addr().String(), listener.Close()
}

// answers waits until something listens.
func answers(ctx context.Context, address string) (err error) {
	for range 100 {
		var connection net.Conn
		if connection, err = dial(ctx, address); err == nil {
			return connection.Close()
		}
		wait.Pause(ctx, 50*time.Millisecond)
	}
	return err
}
