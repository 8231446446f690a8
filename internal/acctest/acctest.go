// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

// Package acctest is what acceptance tests share: the provider under test, the
// sandbox cluster, its faults, and checks that look at the API.
//
// The sandbox is started once per run by make test, which puts its folder into
// HARVESTER_SANDBOX_DIR.
package acctest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/providerserver"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
	"github.com/harvester-community/terraform-provider-harvester/internal/provider"
	"github.com/harvester-community/terraform-provider-harvester/internal/wait"
)

// EnvSandbox names the folder of the running sandbox.
const EnvSandbox = "HARVESTER_SANDBOX_DIR"

// Factories serve the provider under test to terraform.
var Factories = map[string]func() (tfprotov6.ProviderServer, error){
	"harvester": providerserver.NewProtocol6WithError(provider.New("test")()),
}

// Cluster is the sandbox as a test sees it.
type Cluster struct {
	// Dir is the sandbox's folder; Kubeconfig the path of its kubeconfig.
	Dir        string
	Kubeconfig string
	Client     *kube.Client
	Hub        *wait.Hub
	Images     kube.Resource[api.VirtualMachineImage]
}

// Shared returns the running sandbox. Tests without TF_ACC are skipped. The
// provider under test finds the sandbox through the environment.
func Shared(t *testing.T) *Cluster {
	t.Helper()
	if os.Getenv("TF_ACC") == "" {
		t.Skip("acceptance tests run with TF_ACC=1; make testacc does all that is needed")
	}
	cluster, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	return cluster
}

var shared = sync.OnceValues(func() (*Cluster, error) {
	dir := os.Getenv(EnvSandbox)
	if dir == "" {
		return nil, fmt.Errorf("%s is not set: run the tests with make testacc, which starts a sandbox", EnvSandbox)
	}
	kubeconfig := filepath.Join(dir, "kubeconfig")
	client, err := kube.Connect(kube.Connection{Kubeconfig: kubeconfig}, "acctest")
	if err != nil {
		return nil, err
	}
	if err := os.Setenv(kube.EnvKubeconfig, kubeconfig); err != nil {
		return nil, err
	}
	return &Cluster{
		Dir: dir, Kubeconfig: kubeconfig, Client: client, Hub: wait.NewHub(client.Dynamic()),
		Images: kube.For[api.VirtualMachineImage](client, api.Images, api.KindImage),
	}, nil
})

// Name returns a name that no other test has, fit for objects and labels.
func Name(t *testing.T) string {
	t.Helper()
	base := regexp.MustCompile(`[^a-z0-9]+`).ReplaceAllString(strings.ToLower(strings.TrimPrefix(t.Name(), "TestAcc")), "-")
	return fmt.Sprintf("%.40s-%06x", strings.Trim(base, "-"), rand.Uint32()&0xffffff) //nolint:gosec // names need no secrecy
}

// ShortName is Name for what must be short, as cluster networks.
func ShortName(t *testing.T) string {
	t.Helper()
	return fmt.Sprintf("n%08x", rand.Uint32()) //nolint:gosec // names need no secrecy
}

// RawImage writes a file of random bytes and returns its path and content.
func RawImage(t *testing.T, size int) (path string, content []byte) {
	t.Helper()
	content = make([]byte, size)
	var seed [32]byte
	copy(seed[:], Name(t))
	_, _ = rand.NewChaCha8(seed).Read(content)
	path = filepath.Join(t.TempDir(), "disk.img")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path, content
}

// Fault is what goes wrong with an image; see the sandbox's README.
type Fault struct {
	UploadBytesPerSecond int64  `json:"uploadBytesPerSecond,omitempty"`
	CutAfterBytes        *int64 `json:"cutAfterBytes,omitempty"`
	AnswerStatus         int    `json:"answerStatus,omitempty"`
	AnswerThenFinish     bool   `json:"answerThenFinish,omitempty"`
	RefuseUploads        int    `json:"refuseUploads,omitempty"`
	FailImport           string `json:"failImport,omitempty"`
	FailImportTimes      int    `json:"failImportTimes,omitempty"`
	HoldProgress         *int   `json:"holdProgress,omitempty"`
	CorruptStored        bool   `json:"corruptStored,omitempty"`
	HideChecksum         bool   `json:"hideChecksum,omitempty"`

	// Of VlanConfigs and networks; see SetFaultOf.
	AgentSilent       bool   `json:"agentSilent,omitempty"`
	SetupError        string `json:"setupError,omitempty"`
	RouteConnectivity string `json:"routeConnectivity,omitempty"`
	// Of load balancers, devices and the webhooks about them; see SetFaultOf.
	WebhookDown bool `json:"webhookDown,omitempty"`
	Idle        bool `json:"idle,omitempty"`
	Unhealthy   bool `json:"unhealthy,omitempty"`
}

// SetFault makes things go wrong with one image until ClearFault or the end of the test.
func (c *Cluster) SetFault(t *testing.T, name string, fault Fault) {
	t.Helper()
	c.SetFaultOf(t, "default", name, fault)
}

// ClearFault ends the fault of one image, if it has any.
func (c *Cluster) ClearFault(t *testing.T, name string) {
	t.Helper()
	c.ClearFaultOf(t, "default", name)
}

// SetFaultOf makes things go wrong with one object until ClearFaultOf or the end of the test. Of is its namespace,
// "vlanconfigs" for a VlanConfig, "devices" for a device, or "webhooks" for the webhooks that are asked about it.
func (c *Cluster) SetFaultOf(t *testing.T, of, name string, fault Fault) {
	t.Helper()
	body, err := json.Marshal(fault)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.ClearFaultOf(t, of, name) })
	c.sandbox(t, http.MethodPut, of, name, body)
}

// ClearFaultOf ends the fault of one object, if it has any.
func (c *Cluster) ClearFaultOf(t *testing.T, of, name string) {
	t.Helper()
	c.sandbox(t, http.MethodDelete, of, name, nil)
}

func (c *Cluster) sandbox(t *testing.T, method, of, name string, body []byte) {
	t.Helper()
	base, err := url.Parse(c.Client.Host())
	if err != nil {
		t.Fatal(err)
	}
	address := base.JoinPath("sandbox/faults", of, name)
	req, err := http.NewRequestWithContext(context.Background(), method, address.String(), bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := c.Client.Transfers().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode >= http.StatusMultipleChoices && (method != http.MethodDelete || resp.StatusCode != http.StatusNotFound) {
		text, _ := io.ReadAll(resp.Body)
		t.Fatalf("%s %s: %s: %s", method, address, resp.Status, text)
	}
}

// Eventually runs the check until it returns true, at most for a minute. It can be used in a cleanup too.
func Eventually(t *testing.T, what string, check func(ctx context.Context) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), time.Minute)
	defer cancel()
	for !check(ctx) {
		select {
		case <-ctx.Done():
			t.Fatalf("not within a minute: %s", what)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// Meta is the metadata of an object.
func Meta(namespace, name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: namespace, Name: name}
}

// Apply makes an object that is deleted at the end of the test.
func (c *Cluster) Apply(t *testing.T, gvr schema.GroupVersionResource, namespace string, object map[string]any) {
	t.Helper()
	objects := c.Client.Dynamic().Resource(gvr).Namespace(namespace)
	var created *unstructured.Unstructured
	// Harvester's webhooks may not have seen yet what was made a moment ago.
	Eventually(t, "the object is accepted", func(ctx context.Context) (accepted bool) {
		var err error
		created, err = objects.Create(ctx, &unstructured.Unstructured{Object: object}, metav1.CreateOptions{})
		if err != nil && !strings.Contains(err.Error(), "not found") {
			t.Fatal(err)
		}
		return err == nil
	})
	t.Cleanup(func() { _ = objects.Delete(context.Background(), created.GetName(), metav1.DeleteOptions{}) })
}

// Backups is the address of the sandbox's store for backups, which speaks S3.
func (c *Cluster) Backups(t *testing.T) string {
	t.Helper()
	var status struct{ Backups string }
	if err := json.Unmarshal(c.Ask(t, http.MethodGet, "sandbox/status", nil), &status); err != nil || status.Backups == "" {
		t.Fatalf("the sandbox does not tell where backups go: %v", err)
	}
	return status.Backups
}

// Ask sends a request to one of the sandbox's own endpoints and returns the answer, which must be a success.
func (c *Cluster) Ask(t *testing.T, method, path string, body []byte) []byte {
	t.Helper()
	base, err := url.Parse(c.Client.Host())
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(context.Background(), method, base.JoinPath(path).String(), bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := c.Client.Transfers().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode >= http.StatusMultipleChoices {
		t.Fatalf("%s %s: %s: %s (%v)", method, path, resp.Status, text, err)
	}
	return text
}

// Said matches a message as Terraform shows it: each space of the pattern, or " +", may be where a line was broken.
func Said(pattern string) *regexp.Regexp {
	const space = `\s+(?:│\s+)?`
	return regexp.MustCompile(`(?s)` + strings.NewReplacer(" +", space, " ", space).Replace(pattern))
}
