// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package image_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"

	"github.com/harvester-community/terraform-provider-harvester/internal/acctest"
	"github.com/harvester-community/terraform-provider-harvester/internal/imagestate"
)

// A server that does not say how much it sends leaves the progress at 0 % to the end.
func TestAccImage_downloadOfUnknownLength(t *testing.T) {
	t.Parallel()
	cluster, name := acctest.Shared(t), acctest.Name(t)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for range 12 { // 6 s
			_ = http.NewResponseController(w).Flush()
			if r.Method == http.MethodHead {
				return
			}
			time.Sleep(500 * time.Millisecond)
			_, _ = w.Write(bytes.Repeat([]byte("disk"), 1024))
		}
	}))
	t.Cleanup(server.Close)
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy:             gone(cluster, name),
		Steps: []resource.TestStep{{
			Config: fmt.Sprintf(`
resource "harvester_image" "test" {
  name          = %[1]q
  display_name  = %[1]q
  source_type   = "download"
  url           = "%[2]s/disk.img"
  retry         = 0
  stall_timeout = "2s"
}
`, name, server.URL),
			ConfigStateChecks: []statecheck.StateCheck{
				expect("state", knownvalue.StringExact("Active")), expect("size", knownvalue.Int64Exact(12*4096)),
			},
		}},
	})
}

// What has arrived is verified or converted for longer than nothing may happen otherwise.
func TestAccImage_digestsLongerThanAStall(t *testing.T) {
	t.Parallel()
	cluster := acctest.Shared(t)
	all := 99
	for backend, test := range map[string]struct {
		more    string
		arrived func(imagestate.Image) bool
	}{
		"backingimage": {"", func(i imagestate.Image) bool { return i.Progress == int64(all) }},
		"cdi":          {`storage_class_name = "harvester-longhorn"`, func(i imagestate.Image) bool { return i.Size > 0 }},
	} {
		t.Run(backend, func(t *testing.T) {
			t.Parallel()
			name := acctest.Name(t)
			path, _ := acctest.RawImage(t, 16<<20)
			cluster.SetFault(t, name, acctest.Fault{HoldProgress: &all})
			released := make(chan struct{})
			go func() {
				defer close(released)
				cluster.Await(t, name, test.arrived)
				time.Sleep(10 * time.Second)
				cluster.ClearFault(t, name)
			}()
			resource.Test(t, resource.TestCase{
				ProtoV6ProviderFactories: acctest.Factories,
				CheckDestroy:             gone(cluster, name),
				Steps: []resource.TestStep{{
					Config:            upload(name, path, fmt.Sprintf("backend = %q\n  stall_timeout = \"5s\"\n  %s", backend, test.more)),
					ConfigStateChecks: []statecheck.StateCheck{expect("state", knownvalue.StringExact("Active")), expect("size", knownvalue.Int64Exact(16<<20))},
				}},
			})
			<-released
		})
	}
}

// Four images of 3 s and a bit each, one at a time, within a limit of 11 s for each.
func TestAccImage_queueIsNotCounted(t *testing.T) {
	t.Parallel()
	cluster, name := acctest.Shared(t), acctest.Name(t)
	path, _ := acctest.RawImage(t, 3<<19)
	checks := []resource.TestCheckFunc{}
	for i := range 4 {
		cluster.SetFault(t, fmt.Sprint(name, "-", i), acctest.Fault{UploadBytesPerSecond: 1 << 19})
		checks = append(checks, resource.TestCheckResourceAttr(fmt.Sprint(address, ".", i), "state", "Active"))
	}
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy:             gone(cluster, name+"-3"),
		Steps: []resource.TestStep{{
			Config: fmt.Sprintf(`
provider "harvester" {
  max_parallel_uploads = 1
}

resource "harvester_image" "test" {
  count        = 4
  name         = "%[1]s-${count.index}"
  display_name = "%[1]s-${count.index}"
  source_type  = "upload"
  file_path    = %[2]q

  timeouts {
    create = "11s"
  }
}
`, name, path),
			Check: resource.ComposeAggregateTestCheckFunc(checks...),
		}},
	})
}
