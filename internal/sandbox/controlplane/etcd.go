// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package controlplane

import (
	"context"
	"fmt"
	"net"
	"net/url"

	"go.etcd.io/etcd/client/pkg/v3/transport"
	"go.etcd.io/etcd/server/v3/embed"
)

// etcd is the database, reachable only with a certificate of the authority.
type etcd struct {
	server                   *embed.Etcd
	url                      string
	certificateFile, keyFile string
}

func startEtcd(ctx context.Context, dir, logFile string, authority *Authority) (*etcd, error) {
	certificateFile, keyFile, err := authority.Issue("etcd")
	if err != nil {
		return nil, err
	}
	addresses, err := freeURLs(2)
	if err != nil {
		return nil, err
	}
	config := etcdConfig(dir, logFile, addresses[0], addresses[1])
	config.ClientTLSInfo = transport.TLSInfo{
		CertFile: certificateFile, KeyFile: keyFile, TrustedCAFile: authority.CAFile(), ClientCertAuth: true,
	}
	config.PeerTLSInfo = config.ClientTLSInfo
	server, err := embed.StartEtcd(config)
	if err != nil {
		return nil, fmt.Errorf("starting etcd: %w", err)
	}
	e := &etcd{server, addresses[0].String(), certificateFile, keyFile}
	select {
	case <-server.Server.ReadyNotify():
		return e, nil
	case err := <-server.Err():
		return nil, fmt.Errorf("starting etcd: %w", err)
	case <-ctx.Done():
		e.stop()
		return nil, ctx.Err()
	}
}

// stop closes the database. It does not wait for clients to go first, as
// embed.Etcd.Close does for seconds.
func (e *etcd) stop() { e.server.Server.HardStop() }

func etcdConfig(dir, logFile string, client, peer url.URL) *embed.Config {
	config := embed.NewConfig()
	config.Name = "sandbox"
	config.Dir = dir
	config.ListenClientUrls, config.AdvertiseClientUrls = []url.URL{client}, []url.URL{client}
	config.ListenPeerUrls, config.AdvertisePeerUrls = []url.URL{peer}, []url.URL{peer}
	config.InitialCluster = config.InitialClusterFromName(config.Name)
	config.LogLevel = "warn"
	config.LogOutputs = []string{logFile}
	// Losing power may lose the last writes; a sandbox gains speed from it.
	config.UnsafeNoFsync = true
	// A single member has no follower to catch up, so few entries need to stay
	// in memory.
	config.SnapshotCount = 5000
	config.SnapshotCatchUpEntries = 100
	return config
}

// freeURLs returns addresses on the loopback interface that were free a moment
// ago; etcd cannot be given a listener.
func freeURLs(count int) ([]url.URL, error) {
	var urls []url.URL
	for range count {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer listener.Close()
		urls = append(urls, url.URL{Scheme: "https", Host: listener.Addr().String()})
	}
	return urls, nil
}
