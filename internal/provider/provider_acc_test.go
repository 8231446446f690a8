// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"encoding/base64"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/harvester-community/terraform-provider-harvester/internal/acctest"
)

// image is a small uploaded image, to have something that needs the cluster.
func image(name, path string) string {
	return fmt.Sprintf(`
resource "harvester_image" "test" {
  name         = %[1]q
  display_name = %[1]q
  source_type  = "upload"
  file_path    = %[2]q
}
`, name, path)
}

func heredoc(text string) string { return "<<-EOT\n" + strings.TrimSpace(text) + "\nEOT" }

// TestAccProvider_connects reaches the cluster in every way the provider block offers.
func TestAccProvider_connects(t *testing.T) {
	t.Parallel()
	cluster := acctest.Shared(t)
	raw, err := os.ReadFile(cluster.Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	config, err := clientcmd.Load(raw)
	if err != nil {
		t.Fatal(err)
	}
	entry := config.Contexts[config.CurrentContext]
	server, token := config.Clusters[entry.Cluster], config.AuthInfos[entry.AuthInfo].Token
	host := strings.TrimSuffix(server.Server, "/k8s/clusters/local")
	for label, block := range map[string]string{
		"environment":      "",
		"path":             fmt.Sprintf("kubeconfig = %q", cluster.Kubeconfig),
		"text":             "kubeconfig = " + heredoc(string(raw)),
		"base64":           fmt.Sprintf("kubeconfig = %q", base64.StdEncoding.EncodeToString(raw)),
		"context":          fmt.Sprintf("kubeconfig = %q\n  kubecontext = %q", cluster.Kubeconfig, config.CurrentContext),
		"host":             fmt.Sprintf("host = %q\n  token = %q\n  cluster_ca_certificate = %s", host, token, heredoc(string(server.CertificateAuthorityData))),
		"host of a proxy":  fmt.Sprintf("host = \"%s/k8s/clusters/local\"\n  token = %q\n  insecure = true", host, token),
		"insecure as well": fmt.Sprintf("host = %q\n  token = %q\n  insecure = true", host, token),
	} {
		t.Run(label, func(t *testing.T) {
			t.Parallel()
			path, _ := acctest.RawImage(t, 4096)
			resource.Test(t, resource.TestCase{
				ProtoV6ProviderFactories: acctest.Factories,
				Steps:                    []resource.TestStep{{Config: "provider \"harvester\" {\n  " + block + "\n}\n" + image(acctest.Name(t), path)}},
			})
		})
	}
}

func TestAccProvider_refuses(t *testing.T) {
	t.Parallel()
	cluster := acctest.Shared(t)
	host := regexp.MustCompile(`https://127[^"/\s]+`)
	raw, err := os.ReadFile(cluster.Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	address := host.FindString(string(raw))
	for label, test := range map[string]struct{ block, wants string }{
		"two clusters":      {fmt.Sprintf("kubeconfig = %q\n  host = %q\n  token = \"x\"", cluster.Kubeconfig, address), `(?s)host = .*Both kubeconfig and host`},
		"no such context":   {fmt.Sprintf("kubeconfig = %q\n  kubecontext = \"moon\"", cluster.Kubeconfig), `(?s)kubecontext = .*no\s+context\s+"moon"`},
		"no such file":      {`kubeconfig = "/no/such/kubeconfig"`, `There is no kubeconfig file`},
		"expired token":     {fmt.Sprintf("host = %q\n  token = \"expired\"\n  insecure = true", address), `(?s)Not authorized.*401.*expired`},
		"unverified server": {fmt.Sprintf("host = %q\n  token = \"x\"", address), `(?s)not reachable.*(certificate|x509)`},
		"nobody there":      {"host = \"https://127.0.0.1:1\"\n  token = \"x\"", `(?s)not reachable.*refused`},
		"plan_checks":       {`plan_checks = "loud"`, `(?s)plan_checks`},
	} {
		t.Run(label, func(t *testing.T) {
			t.Parallel()
			path, _ := acctest.RawImage(t, 4096)
			resource.Test(t, resource.TestCase{
				ProtoV6ProviderFactories: acctest.Factories,
				Steps: []resource.TestStep{{
					Config:      "provider \"harvester\" {\n  " + test.block + "\n}\n" + image(acctest.Name(t), path),
					ExpectError: acctest.Said(test.wants),
				}},
			})
		})
	}
}

// The cluster may be made in the same run: a plan works before its address is known.
func TestAccProvider_unknownAtPlan(t *testing.T) {
	t.Parallel()
	cluster := acctest.Shared(t)
	path, _ := acctest.RawImage(t, 4096)
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		Steps: []resource.TestStep{{Config: fmt.Sprintf(`
resource "terraform_data" "cluster" {
  input = %q
}
provider "harvester" {
  kubeconfig = terraform_data.cluster.output
}
`, cluster.Kubeconfig) + image(acctest.Name(t), path)}},
	})
}
