// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package imagedownload_test

import (
	"bytes"
	"context"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/harvester-community/terraform-provider-harvester/internal/acctest"
	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/imagestate"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
	"github.com/harvester-community/terraform-provider-harvester/internal/provider"
	"github.com/harvester-community/terraform-provider-harvester/internal/transfer"
)

// spoiler is a proxy before the sandbox that spoils downloads.
type spoiler struct {
	*httptest.Server
	cluster *acctest.Cluster
	// left is how many downloads are still spoiled.
	left atomic.Int64
	// spoil changes the body of a download.
	spoil func(body io.ReadCloser) io.ReadCloser
	// asked counts the downloads.
	asked atomic.Int64
}

func newSpoiler(t *testing.T, cluster *acctest.Cluster, times int64, spoil func(io.ReadCloser) io.ReadCloser) *spoiler {
	t.Helper()
	target, err := url.Parse(cluster.Client.Host())
	if err != nil {
		t.Fatal(err)
	}
	s := &spoiler{cluster: cluster, spoil: spoil}
	s.left.Store(times)
	s.Server = httptest.NewTLSServer(&httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(target) },
		Transport:     cluster.Client.Transfers().Transport,
		FlushInterval: -1,
		ModifyResponse: func(r *http.Response) error {
			if strings.HasSuffix(r.Request.URL.Path, "/download") {
				s.asked.Add(1)
				if s.left.Add(-1) >= 0 {
					r.Body = s.spoil(r.Body)
				}
			}
			return nil
		},
	})
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
	})
	return s
}

// kubeconfig is the sandbox's, pointing at the proxy.
func (s *spoiler) kubeconfig(t *testing.T) string {
	t.Helper()
	config, err := clientcmd.LoadFromFile(s.cluster.Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	authority := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	for _, cluster := range config.Clusters {
		cluster.Server, cluster.CertificateAuthorityData = s.URL, authority
	}
	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := clientcmd.WriteToFile(*config, path); err != nil {
		t.Fatal(err)
	}
	return path
}

func through(kubeconfig string) string {
	return fmt.Sprintf("provider \"harvester\" {\n  kubeconfig = %q\n}\n", kubeconfig)
}

// cut sends half of what comes, and the text of Harvester.
func cut(body io.ReadCloser) io.ReadCloser {
	whole, _ := io.ReadAll(body)
	_ = body.Close()
	return io.NopCloser(bytes.NewReader(append(whole[:len(whole)/2], "failed to copy download content to target(disk.gz), err: unexpected EOF"...)))
}

// hold sends half of what comes, tells so, and waits before the rest.
func hold(begun, release chan struct{}) func(io.ReadCloser) io.ReadCloser {
	return func(body io.ReadCloser) io.ReadCloser {
		whole, _ := io.ReadAll(body)
		_ = body.Close()
		wait := readerFunc(func([]byte) (int, error) {
			begun <- struct{}{}
			<-release
			return 0, io.EOF
		})
		return io.NopCloser(io.MultiReader(bytes.NewReader(whole[:len(whole)/2]), wait, bytes.NewReader(whole[len(whole)/2:])))
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// A download that breaks is begun anew; one that always breaks keeps the file that was there.
func TestAccImageDownload_broken(t *testing.T) {
	t.Parallel()
	cluster, name := acctest.Shared(t), acctest.Name(t)
	path, content := acctest.RawImage(t, 1<<20)
	proxy := newSpoiler(t, cluster, 3, cut)
	kubeconfig := proxy.kubeconfig(t)
	filename := filepath.Join(t.TempDir(), "disk.img")
	write(t, filename, []byte("precious"))
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy:             absent(filename),
		Steps: []resource.TestStep{
			{Config: image(name, path, "")},
			{
				Config:      through(kubeconfig) + image(name, path, "") + download(byID, filename, ""),
				ExpectError: acctest.Said(`Download incomplete.*wrote into the stream:\s+failed\s+to\s+copy.*file\s+that\s+is\s+there\s+was\s+left`),
			},
			{
				PreConfig: func() {
					if err := holds(filename, []byte("precious"))(nil); err != nil {
						t.Error(err)
					}
					if asked := proxy.asked.Load(); asked != 3 {
						t.Errorf("it was tried %d times", asked)
					}
					proxy.left.Store(1)
				},
				Config: through(kubeconfig) + image(name, path, "") + download(byID, filename, ""), Check: holds(filename, content),
			},
		},
	})
}

// An image that is made anew meanwhile: nobody knows of which one the bytes are.
func TestAccImageDownload_imageChangesMeanwhile(t *testing.T) {
	t.Parallel()
	cluster, name := acctest.Shared(t), acctest.Name(t)
	cluster.Uploaded(t, name, 1<<20)
	begun, release := make(chan struct{}), make(chan struct{})
	proxy := newSpoiler(t, cluster, 1, hold(begun, release))
	filename := filepath.Join(t.TempDir(), "disk.img")
	go func() {
		<-begun
		defer close(release)
		_ = cluster.Images.Delete(t.Context(), "default", name, "")
		acctest.Eventually(t, "the image is gone", func(ctx context.Context) bool {
			_, err := cluster.Images.Get(ctx, "default", name)
			return apierrors.IsNotFound(err)
		})
	}()
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy:             absent(filename),
		Steps: []resource.TestStep{{
			Config:      through(proxy.kubeconfig(t)) + download(literal(name), filename, ""),
			ExpectError: acctest.Said(`Image changed during the download.*No file\s+was made`),
		}},
	})
}

// Ctrl-C leaves nothing. A provider that is killed leaves what the next apply removes.
func TestAccImageDownload_interrupted(t *testing.T) {
	t.Parallel()
	cluster := acctest.Shared(t)
	folder := t.TempDir()
	if output, err := exec.Command("go", "build", "-o", filepath.Join(folder, "terraform-provider-harvester"), "../..").CombinedOutput(); err != nil {
		t.Fatalf("build the provider: %v\n%s", err, output)
	}
	for label, test := range map[string]struct {
		backend string
		end     func(t *testing.T, terraform int)
		left    int
	}{
		"Ctrl-C":      {"", func(_ *testing.T, terraform int) { _ = syscall.Kill(-terraform, syscall.SIGINT) }, 0},
		"Ctrl-C, cdi": {"cdi", func(_ *testing.T, terraform int) { _ = syscall.Kill(-terraform, syscall.SIGINT) }, 0},
		"kill -9":     {"", func(_ *testing.T, terraform int) { _ = syscall.Kill(-terraform, syscall.SIGKILL) }, 1},
	} {
		t.Run(label, func(t *testing.T) {
			t.Parallel()
			name := acctest.Name(t)
			upload(t, cluster, name, test.backend)
			begun, release := make(chan struct{}, 10), make(chan struct{})
			proxy := newSpoiler(t, cluster, 1, hold(begun, release))
			run := newRun(t, folder, proxy.kubeconfig(t), literal(name))
			command := run.start("apply", "-auto-approve")
			<-begun
			acctest.Eventually(t, "the file grows", func(context.Context) bool { return len(run.files()) == 1 })
			sent := time.Now()
			test.end(t, command.Process.Pid)
			_ = command.Wait()
			t.Logf("ended within %s", time.Since(sent))
			close(release)
			if files := run.files(); len(files) != test.left {
				t.Errorf("there is %q; terraform said %s", files, run.output.String())
			}
			if test.backend != "" {
				acctest.Eventually(t, "the downloader is gone", func(context.Context) bool { return noDownloader(cluster, name) == nil })
			}
			if err := run.start("apply", "-auto-approve", "-lock=false").Wait(); err != nil {
				t.Errorf("%v: %s", err, run.output.String())
			}
			if files := run.files(); len(files) != 1 || files[0] != "disk.img" {
				t.Errorf("in the end there is %q", files)
			}
		})
	}
}

// upload makes an image that is removed at the end.
func upload(t *testing.T, cluster *acctest.Cluster, name, backend string) {
	t.Helper()
	if backend == "" {
		cluster.Uploaded(t, name, 4<<20)
		return
	}
	made := &api.VirtualMachineImage{
		ObjectMeta: acctest.Meta("default", name),
		Spec: api.VirtualMachineImageSpec{
			Backend: backend, DisplayName: name, SourceType: api.SourceUpload, TargetStorageClassName: "harvester-longhorn",
		},
	}
	made.Annotations = map[string]string{api.AnnotationStorageClassName: "harvester-longhorn"}
	if _, err := cluster.Images.Create(t.Context(), "default", made); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cluster.Images.Delete(context.Background(), "default", name, "") })
	cluster.Await(t, name, func(i imagestate.Image) bool { return i.AwaitsData })
	path, _ := acctest.RawImage(t, 4<<20)
	file, err := transfer.Inspect(path)
	if err != nil {
		t.Fatal(err)
	}
	sent := &transfer.Upload{URL: cluster.Client.ImageURL("default", name), Part: "file", Content: file.Unscanned(true)}
	if err := sent.Send(t.Context(), cluster.Client.Transfers()); err != nil {
		t.Fatal(err)
	}
	cluster.Await(t, name, imagestate.Image.Ready)
}

// run is a folder in which terraform runs, with the provider as a process of its own.
type run struct {
	*testing.T
	dir    string
	env    []string
	output bytes.Buffer
}

func newRun(t *testing.T, binaries, kubeconfig, image string) *run {
	t.Helper()
	r := &run{T: t, dir: t.TempDir()}
	write(t, filepath.Join(r.dir, "main.tf"), []byte(fmt.Sprintf("terraform {\n  required_providers {\n    harvester = { source = %q }\n  }\n}\n",
		strings.TrimPrefix(provider.Address, "registry.terraform.io/"))+download(image, "${path.module}/files/disk.img", "")))
	rc := filepath.Join(r.dir, "terraformrc")
	write(t, rc, fmt.Appendf(nil, "provider_installation {\n  dev_overrides { %q = %q }\n  direct {}\n}\n", provider.Address, binaries))
	r.env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + r.dir, "TF_CLI_CONFIG_FILE=" + rc, "CHECKPOINT_DISABLE=1", "TF_IN_AUTOMATION=1",
		kube.EnvKubeconfig + "=" + kubeconfig,
	}
	return r
}

// start runs terraform in a process group of its own, as a shell does.
func (r *run) start(args ...string) *exec.Cmd {
	r.output.Reset()
	command := exec.CommandContext(r.Context(), acctest.Program(), append(args, "-no-color", "-input=false")...)
	command.Dir, command.Env = r.dir, r.env
	command.Stdout, command.Stderr = &r.output, &r.output
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	command.Cancel = func() error { return syscall.Kill(-command.Process.Pid, syscall.SIGKILL) }
	command.WaitDelay = 10 * time.Second
	if err := command.Start(); err != nil {
		r.Fatal(err)
	}
	return command
}

func (r *run) files() (names []string) {
	entries, _ := os.ReadDir(filepath.Join(r.dir, "files"))
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names
}
