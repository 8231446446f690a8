// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package harvester

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"reflect"

	harvesterv1 "github.com/harvester/harvester/pkg/apis/harvesterhci.io/v1beta1"
	"github.com/harvester/harvester/pkg/server"
	steve "github.com/rancher/steve/pkg/server"
	"k8s.io/apiserver/pkg/authentication/user"
)

// uploadProxy is the address inside the cluster to which Harvester sends the
// bytes of images with the backend cdi.
const uploadProxy = "cdi-uploadproxy.harvester-system:443"

// redirectUploads makes Harvester find CDI's proxy at a local address. It sends
// these uploads with a transport of its own, which nothing else leads to than the
// fields of its objects. Nothing may be uploaded yet.
func redirectUploads(harvester *server.HarvesterServer, address string) error {
	at, err := dig(reflect.ValueOf(harvester), "steve")
	if err != nil {
		return err
	}
	schemas, err := (*steve.Server)(at.UnsafePointer()).SchemaFactory.Schemas(&user.DefaultInfo{
		Name: "admin", Groups: []string{user.SystemPrivilegedGroup, user.AllAuthenticated},
	})
	if err != nil {
		return err
	}
	images := schemas.LookupSchema("harvesterhci.io.virtualmachineimage")
	if images == nil {
		return errors.New("Harvester does not serve images")
	}
	transport, err := uploadTransport(images.ActionHandlers["upload"])
	if err != nil {
		return err
	}
	dialer := &net.Dialer{}
	transport.DialContext = func(ctx context.Context, network, target string) (net.Conn, error) {
		if target != uploadProxy {
			return nil, fmt.Errorf("the sandbox does not reach out to %s", target)
		}
		return dialer.DialContext(ctx, network, address)
	}
	return nil
}

// uploadTransport finds the transport that the handler of uploads uses for images
// with the backend cdi.
func uploadTransport(uploads http.Handler) (*http.Transport, error) {
	uploaders, err := dig(reflect.ValueOf(uploads), "httpHandler", "uploaders")
	if err != nil {
		return nil, err
	}
	if uploaders.Kind() != reflect.Map {
		return nil, changed("uploaders")
	}
	transport, err := dig(uploaders.MapIndex(reflect.ValueOf(harvesterv1.VMIBackendCDI)), "httpClient", "Transport")
	if err != nil {
		return nil, err
	}
	if transport = transport.Elem(); transport.Type() != reflect.TypeFor[*http.Transport]() {
		return nil, changed("Transport")
	}
	return (*http.Transport)(transport.UnsafePointer()), nil
}

// dig follows a path of fields, through pointers and interfaces.
func dig(value reflect.Value, fields ...string) (reflect.Value, error) {
	for _, field := range fields {
		for value.Kind() == reflect.Pointer || value.Kind() == reflect.Interface {
			value = value.Elem()
		}
		if value.Kind() != reflect.Struct || !value.FieldByName(field).IsValid() {
			return value, changed(field)
		}
		value = value.FieldByName(field)
	}
	return value, nil
}

// changed is the error of a field that is not where it is in the version of
// Harvester that this module is built with.
func changed(field string) error {
	return fmt.Errorf("Harvester's code has changed: there is no field %s any more", field)
}
