// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package harvester

import (
	"net/http"
	"reflect"
	"testing"

	harvesterv1 "github.com/harvester/harvester/pkg/apis/harvesterhci.io/v1beta1"
	"github.com/harvester/harvester/pkg/image/backend"
	"github.com/harvester/harvester/pkg/image/cdi"
	"github.com/harvester/harvester/pkg/server"
)

// imagesHandler has the fields of Harvester's handler of images, which nobody else can make.
type imagesHandler struct {
	http.Handler
	httpHandler any
}

func TestUploadTransport(t *testing.T) {
	uploader := cdi.GetUploader(nil, nil, nil, http.Client{}, nil)
	handler := &imagesHandler{httpHandler: struct {
		uploaders map[harvesterv1.VMIBackend]backend.Uploader
	}{map[harvesterv1.VMIBackend]backend.Uploader{harvesterv1.VMIBackendCDI: uploader}}}
	transport, err := uploadTransport(handler)
	if err != nil {
		t.Fatal(err)
	}
	if !transport.TLSClientConfig.InsecureSkipVerify {
		t.Error("this is another transport")
	}
}

func TestUploadTransportOfOtherCode(t *testing.T) {
	for name, handler := range map[string]http.Handler{
		"nothing":      nil,
		"no handler":   http.NewServeMux(),
		"no uploaders": &imagesHandler{httpHandler: struct{}{}},
		"no map":       &imagesHandler{httpHandler: struct{ uploaders int }{}},
		"no uploader": &imagesHandler{httpHandler: struct {
			uploaders map[harvesterv1.VMIBackend]backend.Uploader
		}{}},
	} {
		if _, err := uploadTransport(handler); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestServerHasSteve(t *testing.T) {
	if _, err := dig(reflect.ValueOf(&server.HarvesterServer{}), "steve"); err != nil {
		t.Error(err)
	}
}
