// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package gatematrix

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/harvester-community/terraform-provider-harvester/internal/acctest"
	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/imagestate"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
	"github.com/harvester-community/terraform-provider-harvester/internal/provider"
)

// matrix is what all plans share.
type matrix struct {
	cluster *acctest.Cluster
	plugin  string // the folder with the provider's program
	// class is a storage class for encrypted images, encrypted a ready image made with it.
	class, encrypted string
	file             string // the content of images that the configuration makes
}

func newMatrix(t *testing.T) *matrix {
	t.Helper()
	m := &matrix{cluster: acctest.Shared(t), plugin: t.TempDir()}
	if out, err := exec.Command("go", "build", "-o", filepath.Join(m.plugin, "terraform-provider-harvester"), "../..").CombinedOutput(); err != nil {
		t.Fatalf("build the provider: %v\n%s", err, out)
	}
	name := acctest.Name(t)
	m.cluster.Uploaded(t, name, 1<<20)
	m.file, _ = acctest.RawImage(t, 1<<20)
	m.class, m.encrypted = m.cluster.EncryptedClass(t), name+"-encrypted"
	m.cluster.Encrypted(t, m.encrypted, name, m.class)
	return m
}

// volumeOf makes a volume from the image by other hands, in whatever state that is.
func (m *matrix) volumeOf(t *testing.T, name string, s state) {
	t.Helper()
	class := name + "-gone" // no class, no data
	if image, err := m.cluster.Images.Get(t.Context(), "default", name); err == nil && image.Status.StorageClassName != "" {
		class = image.Status.StorageClassName
	}
	m.cluster.Apply(t, api.PersistentVolumeClaims, "default", map[string]any{
		"apiVersion": "v1", "kind": "PersistentVolumeClaim",
		"metadata": map[string]any{"name": name + "-pvc", "annotations": map[string]any{"harvesterhci.io/imageId": "default/" + name}},
		"spec": map[string]any{
			"accessModes": []any{"ReadWriteMany"}, "volumeMode": "Block", "storageClassName": class,
			"resources": map[string]any{"requests": map[string]any{"storage": "1Gi"}},
		},
	})
	if (s.summary == "" && !s.own) || s.managed {
		volumes := kube.For[corev1.PersistentVolumeClaim](m.cluster.Client, api.PersistentVolumeClaims, "PersistentVolumeClaim")
		acctest.Eventually(t, "the volume is bound", func(ctx context.Context) bool {
			volume, err := volumes.Get(ctx, "default", name+"-pvc")
			return err == nil && volume.Status.Phase == corev1.ClaimBound
		})
	}
}

// source is the data source that finds an image.
const source = "data.harvester_image.source"

// configuration is one with all operations on the image.
func (m *matrix) configuration(name string, s state, f form) string {
	text := head
	switch {
	case s.own:
		text += m.made(name, s)
	case f.name == "id":
		text += block(source, fmt.Sprintf("\n  name = %q", name))
	case f.name == "namespace and name":
		text += fmt.Sprintf("variable \"base\" {\n  default = { namespace = \"default\", name = %q }\n}\n", name)
	}
	for _, o := range operations {
		text += m.block(o, name, s, f)
	}
	return text
}

var head = fmt.Sprintf("terraform {\n  required_providers {\n    harvester = { source = %q }\n  }\n}\n", provider.Address)

// block is the resource of an operation.
func (m *matrix) block(o operation, name string, s state, f form) string {
	arguments := o.config(name, m.reference(o.op, name, s, f), m.class)
	unnamed := o.op == imagestate.Use || ofVolume(o.op) && s.managed // it names the volume
	if s.own && (f.name == "literal" || unnamed) {
		arguments += "\n  depends_on = [harvester_image.source, harvester_encrypted_image.source]"
	}
	return block(o.address, arguments)
}

// manage makes the images with a configuration of their own.
func (m *matrix) manage(t *testing.T, work *workspace, name string) {
	t.Helper()
	work.write(t, head+m.made(name, state{managed: true}))
	if made := work.run(t, "apply", "-auto-approve"); len(made.errors) > 0 {
		t.Fatalf("make the images: %v", made.errors)
	}
	t.Cleanup(func() {
		if gone := work.run(t, "destroy", "-auto-approve", "-refresh=false"); len(gone.errors) > 0 {
			t.Errorf("destroy the images: %v", gone.errors)
		}
	})
}

// made are images that the configuration itself makes: plain and encrypted.
func (m *matrix) made(name string, s state) string {
	from := `source_type = "download"
  url = "https://images.example/x.img"`
	if s.managed {
		from = fmt.Sprintf("source_type = \"upload\"\n  file_path = %q", m.file)
	}
	return block("harvester_image.source", fmt.Sprintf("\n  name = %[1]q\n  display_name = %[1]q\n  %[2]s", name, from)) +
		block("harvester_encrypted_image.source", fmt.Sprintf(
			"\n  name = \"%[1]s-sealed\"\n  display_name = \"%[1]s-sealed\"\n  source_image = harvester_image.source.id\n  storage_class_name = %[2]q",
			name, m.class))
}

// reference is the expression by which an operation names its image (or the volume with it).
func (m *matrix) reference(op imagestate.Operation, name string, s state, f form) string {
	kind := source
	switch {
	case ofVolume(op) && s.own && !s.managed:
		return "harvester_volume.use.name"
	case ofVolume(op):
		return fmt.Sprintf("%q", name+"-pvc")
	case op == imagestate.Decrypt && s.own:
		kind, name = "harvester_encrypted_image.source", name+"-sealed"
	case s.own:
		kind = "harvester_image.source"
	case op == imagestate.Decrypt && s.summary == "": // only what is encrypted can be decrypted
		return fmt.Sprintf("%q", "default/"+m.encrypted)
	case f.name == "namespace and name":
		kind = "var.base"
	}
	return strings.NewReplacer("$kind", kind, "$name", name).Replace(f.pattern)
}

// ofVolume says that an operation uses an image through a volume of it.
func ofVolume(op imagestate.Operation) bool {
	return op == imagestate.Export || op == imagestate.StartVM
}

// block writes a resource or data source with that address.
func block(address, arguments string) string {
	word, rest := "resource", address
	if after, isData := strings.CutPrefix(address, "data."); isData {
		word, rest = "data", after
	}
	kind, label, _ := strings.Cut(rest, ".")
	return fmt.Sprintf("%s %q %q {%s\n}\n", word, kind, label, arguments)
}

// workspace is a folder with a configuration.
type workspace struct {
	dir string
	env []string
}

func (m *matrix) workspace(t *testing.T, config string) *workspace {
	t.Helper()
	w := &workspace{dir: t.TempDir()}
	w.write(t, config)
	rc := fmt.Sprintf("provider_installation {\n  dev_overrides { %q = %q }\n  direct {}\n}\n", provider.Address, m.plugin)
	if err := os.WriteFile(filepath.Join(w.dir, "terraformrc"), []byte(rc), 0o600); err != nil {
		t.Fatal(err)
	}
	w.env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + w.dir, "TF_CLI_CONFIG_FILE=" + filepath.Join(w.dir, "terraformrc"),
		"CHECKPOINT_DISABLE=1", "TF_IN_AUTOMATION=1", kube.EnvKubeconfig + "=" + m.cluster.Kubeconfig,
	}
	return w
}

// write puts another configuration into the folder.
func (w *workspace) write(t *testing.T, config string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(w.dir, "main.tf"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
}

// diagnostic is one that terraform prints with -json.
type diagnostic struct {
	Severity string `json:"severity"`
	Summary  string `json:"summary"`
	Detail   string `json:"detail"`
	Address  string `json:"address"`
}

// result is what came of a terraform command, by resource.
type result struct {
	errors  map[string][]diagnostic
	planned map[string]bool
}

// text is what was said of one resource, and of nothing in particular.
func (r result) text(address string) string {
	var text strings.Builder
	for _, d := range append(r.errors[address], r.errors[""]...) {
		fmt.Fprintf(&text, "%s: %s\n", d.Summary, d.Detail)
	}
	return text.String()
}

func (w *workspace) plan(t *testing.T, arguments ...string) result {
	t.Helper()
	return w.run(t, append([]string{"plan"}, arguments...)...)
}

// run runs terraform and reads what it tells.
func (w *workspace) run(t *testing.T, arguments ...string) result {
	t.Helper()
	command := exec.CommandContext(context.WithoutCancel(t.Context()), acctest.Program(), append(arguments[:1:1], append([]string{"-json", "-input=false"}, arguments[1:]...)...)...)
	command.Dir, command.Env = w.dir, w.env
	var trouble bytes.Buffer
	command.Stderr = &trouble
	output, err := command.Output()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	r := result{errors: map[string][]diagnostic{}, planned: map[string]bool{}}
	for line := range strings.SplitSeq(string(output), "\n") {
		var event struct {
			Type       string     `json:"type"`
			Diagnostic diagnostic `json:"diagnostic"`
			Change     struct {
				Resource struct {
					Address string `json:"addr"`
				} `json:"resource"`
			} `json:"change"`
		}
		if json.Unmarshal([]byte(line), &event) != nil {
			continue
		}
		switch {
		case event.Type == "planned_change":
			r.planned[event.Change.Resource.Address] = true
		case event.Type == "diagnostic" && event.Diagnostic.Severity == "error":
			r.errors[event.Diagnostic.Address] = append(r.errors[event.Diagnostic.Address], event.Diagnostic)
		}
	}
	if trouble.Len() > 0 {
		t.Logf("terraform says: %s", trouble.String())
	}
	return r
}
