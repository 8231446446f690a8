// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package faultmatrix

import (
	"bytes"
	"context"
	"crypto/sha512"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/harvester-community/terraform-provider-harvester/internal/acctest"
	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/imagestate"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
	"github.com/harvester-community/terraform-provider-harvester/internal/provider"
)

// course is one row on its way: a folder with a configuration, an image file,
// and a proxy before the sandbox.
type course struct {
	*testing.T
	cluster *acctest.Cluster
	proxy   *proxy
	name    string
	dir     string
	file    string
	env     []string

	mu          sync.Mutex
	terraform   *os.Process // the apply that runs
	interrupted time.Time
	orphans     []int // providers whose terraform was killed
	killed      bool  // a signal has met the run
	said        string
}

// newCourse makes the folder of a row.
func newCourse(t *testing.T, row row) *course {
	t.Helper()
	cluster := acctest.Shared(t)
	c := &course{T: t, cluster: cluster, name: acctest.Name(t), dir: t.TempDir()}
	size := row.size
	if size == 0 {
		size = 1 << 20
	}
	c.file, _ = acctest.RawImage(t, size)
	c.proxy = newProxy(t, cluster.Client.Host(), c)
	c.proxy.add(row.trouble...)
	if row.fault != (acctest.Fault{}) {
		cluster.SetFault(t, c.name, row.fault)
	}
	t.Cleanup(func() { _ = cluster.Images.Delete(context.Background(), "default", c.name, "") })
	t.Cleanup(c.tell)
	c.write("main.tf", c.configuration(row))
	c.write("terraformrc", fmt.Sprintf("provider_installation {\n  dev_overrides { %q = %q }\n  direct {}\n}\n", provider.Address, filepath.Dir(binary(t))))
	c.write("kubeconfig", c.kubeconfig())
	c.env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + c.dir, "XDG_CACHE_HOME=" + filepath.Join(c.dir, "cache"),
		"TF_CLI_CONFIG_FILE=" + filepath.Join(c.dir, "terraformrc"), "CHECKPOINT_DISABLE=1", "TF_IN_AUTOMATION=1",
		"TF_LOG_PROVIDER=INFO", "TF_LOG_PATH=" + c.logPath(),
		kube.EnvKubeconfig + "=" + filepath.Join(c.dir, "kubeconfig"),
	}
	return c
}

func (c *course) logPath() string { return filepath.Join(c.dir, "provider.log") }

// tell says what the provider logged, if the row is not as stated.
func (c *course) tell() {
	if !c.Failed() {
		return
	}
	if text, err := os.ReadFile(c.logPath()); err == nil {
		c.Logf("the provider's log:\n%s", text)
	}
}

func (c *course) write(name, content string) {
	if err := os.WriteFile(filepath.Join(c.dir, name), []byte(content), 0o600); err != nil {
		c.Fatal(err)
	}
}

// configuration is one image with the row's arguments.
func (c *course) configuration(row row) string {
	source := fmt.Sprintf("source_type  = \"upload\"\n  file_path    = %q", c.file)
	if row.download {
		source = fmt.Sprintf("source_type  = \"download\"\n  url          = %q", c.serveFile())
	}
	return fmt.Sprintf(`terraform {
  required_providers {
    harvester = { source = %[1]q }
  }
}

resource "harvester_image" "test" {
  name         = %[2]q
  display_name = "%[2]s.img"
  %[3]s
  %[4]s
}
`, strings.TrimPrefix(provider.Address, "registry.terraform.io/"), c.name, source, row.more)
}

// serveFile is where the cluster downloads the file from.
func (c *course) serveFile() (url string) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, c.file) }))
	c.Cleanup(server.Close)
	return server.URL + "/disk.img"
}

// kubeconfig is the sandbox's, pointing at the proxy.
func (c *course) kubeconfig() string {
	config, err := clientcmd.LoadFromFile(c.cluster.Kubeconfig)
	if err != nil {
		c.Fatal(err)
	}
	authority := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.proxy.server.Certificate().Raw})
	for _, cluster := range config.Clusters {
		cluster.Server, cluster.CertificateAuthorityData = c.proxy.server.URL, authority
	}
	text, err := clientcmd.Write(*config)
	if err != nil {
		c.Fatal(err)
	}
	return string(text)
}

// binary builds the provider once.
func binary(t *testing.T) string {
	t.Helper()
	path, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

var build = sync.OnceValues(func() (string, error) {
	path := filepath.Join(scratch, "terraform-provider-harvester")
	if output, err := exec.Command("go", "build", "-o", path, "../..").CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the provider: %w\n%s", err, output)
	}
	return path, nil
})

// scratch is a folder for all rows; TestMain makes and removes it.
var scratch string

// run runs terraform in a process group of its own, as a shell does. The error
// tells how it ended: nil, by an exit code or by a signal.
func (c *course) run(args ...string) (output string, err error) {
	ctx, cancel := context.WithTimeout(c.Context(), 3*time.Minute)
	defer cancel()
	command := exec.CommandContext(ctx, acctest.Program(), args...)
	command.Dir, command.Env = c.dir, c.env
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	command.Cancel = func() error { return syscall.Kill(-command.Process.Pid, syscall.SIGKILL) }
	command.WaitDelay = 5 * time.Second
	var text bytes.Buffer
	command.Stdout, command.Stderr = &text, &text
	if err := command.Start(); err != nil {
		c.Fatal(err)
	}
	c.setTerraform(command.Process)
	err = command.Wait()
	c.setTerraform(nil)
	if ctx.Err() != nil {
		err = fmt.Errorf("it did not end in time: %w", ctx.Err())
	}
	return unwrapped(text.String()), err
}

func (c *course) apply() (output string, err error) {
	return c.run("apply", "-auto-approve", "-input=false", "-no-color")
}

// unwrapped undoes terraform's line breaks, so that texts can be looked for, and leaves out the plan.
func unwrapped(output string) string {
	if _, after, applied := strings.Cut(output, " to destroy.\n"); applied {
		output = after
	}
	return strings.Join(strings.Fields(strings.NewReplacer("│", " ", "╷", " ", "╵", " ").Replace(output)), " ")
}

func (c *course) setTerraform(process *os.Process) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.terraform = process
}

func (c *course) terraformPID() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.terraform == nil {
		c.Error("terraform has ended already")
		return 0
	}
	return c.terraform.Pid
}

// providers are the process ids of the provider of the apply that runs.
func (c *course) providers() (pids []int) {
	parent := c.terraformPID()
	if parent == 0 {
		return nil
	}
	output, _ := exec.Command("pgrep", "-P", strconv.Itoa(parent)).Output()
	for field := range strings.FieldsSeq(string(output)) {
		if pid, err := strconv.Atoi(field); err == nil {
			pids = append(pids, pid)
		}
	}
	if len(pids) == 0 {
		c.Error("there is no provider to kill")
	}
	return pids
}

// killProvider is the out-of-memory killer.
func killProvider(c *course) {
	for _, pid := range c.providers() {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
}

// killTerraform leaves the provider without its parent.
func killTerraform(c *course) {
	orphans := c.providers()
	c.mu.Lock()
	c.orphans = orphans
	c.mu.Unlock()
	if pid := c.terraformPID(); pid != 0 {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
}

// noOrphans checks that a provider without its parent ends by itself, and ends it otherwise.
func (c *course) noOrphans() error {
	deadline := time.Now().Add(soon)
	for _, pid := range c.orphans {
		for running(pid) {
			if time.Now().After(deadline) {
				_ = syscall.Kill(pid, syscall.SIGKILL)
				return errors.New("the provider outlives terraform")
			}
			time.Sleep(50 * time.Millisecond)
		}
	}
	return nil
}

func running(pid int) bool {
	state, _ := exec.Command("ps", "-o", "stat=", "-p", strconv.Itoa(pid)).Output() // fails if there is none
	text := strings.TrimSpace(string(state))
	return text != "" && text[0] != 'Z'
}

// killBoth is what a cancelled job of a CI system ends with.
func killBoth(c *course) {
	if pid := c.terraformPID(); pid != 0 {
		_ = syscall.Kill(-pid, syscall.SIGKILL)
	}
}

// interrupt is Ctrl-C: the signal goes to terraform and the provider.
func interrupt(c *course) { c.interrupt(1) }

// interruptTwice is an impatient Ctrl-C.
func interruptTwice(c *course) { c.interrupt(2) }

func (c *course) interrupt(times int) {
	pid := c.terraformPID()
	if pid == 0 {
		return
	}
	c.mu.Lock()
	c.interrupted = time.Now()
	c.mu.Unlock()
	for range times {
		_ = syscall.Kill(-pid, syscall.SIGINT)
		time.Sleep(20 * time.Millisecond)
	}
}

// untilHeld waits until the import has got to where the sandbox holds it.
func (c *course) untilHeld() {
	c.cluster.Await(c.T, c.name, func(i imagestate.Image) bool { return i.Progress == held })
}

// release lets the import go on.
func (c *course) release() { c.cluster.ClearFault(c.T, c.name) }

// deleteImage is somebody else's deed.
func (c *course) deleteImage() {
	if err := c.cluster.Images.Delete(c.Context(), "default", c.name, ""); err != nil && !apierrors.IsNotFound(err) {
		c.Error(err)
	}
	acctest.Eventually(c.T, "the image is gone", func(ctx context.Context) bool {
		_, err := c.cluster.Images.Get(ctx, "default", c.name)
		return apierrors.IsNotFound(err)
	})
}

// recreateImage makes somebody else's image of that name.
func (c *course) recreateImage() {
	c.deleteImage()
	acctest.Eventually(c.T, "the name can be used again", func(context.Context) bool {
		_, err := c.cluster.Images.Create(c.Context(), "default", &api.VirtualMachineImage{
			ObjectMeta: acctest.Meta("default", c.name),
			Spec:       api.VirtualMachineImageSpec{DisplayName: c.name + ".img", SourceType: api.SourceUpload},
		})
		return err == nil
	})
}

// complete checks that the image is there, ready, made of the bytes that the file has now.
func (c *course) complete() error {
	image, err := c.cluster.Images.Get(c.Context(), "default", c.name)
	if err != nil {
		return err
	}
	if state := imagestate.Of(image); !state.Ready() {
		return fmt.Errorf("the image is %s: %s", state.Status(), state.Message)
	}
	content, err := os.ReadFile(c.file)
	if err != nil {
		return err
	}
	if short := len(content) % 512; short != 0 {
		content = append(content, make([]byte, 512-short)...)
	}
	sum := sha512.Sum512(content)
	stored, err := c.stored(c.Context(), image)
	if err != nil {
		return err
	}
	if stored.Status.Checksum != hex.EncodeToString(sum[:]) {
		return errors.New("the stored bytes are not the file's")
	}
	return nil
}

// stored is what Longhorn says of the image's data.
func (c *course) stored(ctx context.Context, image *api.VirtualMachineImage) (*api.BackingImage, error) {
	return kube.For[api.BackingImage](c.cluster.Client, api.BackingImages, "BackingImage").Get(ctx, api.NamespaceLonghorn, api.BackingImageName(image))
}

// settled checks that a plan finds nothing to do.
func (c *course) settled() error {
	output, err := c.run("plan", "-detailed-exitcode", "-input=false", "-no-color")
	if err != nil {
		return fmt.Errorf("the plan after it is not empty: %w: %s", err, output)
	}
	return nil
}

// ready applies and checks that all is well.
func (c *course) ready(output string, err error) error {
	if err != nil {
		return fmt.Errorf("terraform: %w: %s", err, output)
	}
	if err := c.complete(); err != nil {
		return err
	}
	return c.settled()
}

// refused checks that terraform failed with the text expected.
func refused(output string, err error, wants string) error {
	switch {
	case err == nil:
		return fmt.Errorf("it succeeded, want an error with %q", wants)
	case !acctest.Said(`(?i)` + wants).MatchString(output + " (" + err.Error() + ")"):
		return fmt.Errorf("want an error with %q, got %w: %s", wants, err, output)
	}
	return nil
}
