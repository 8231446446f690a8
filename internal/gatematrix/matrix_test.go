// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

// Package gatematrix holds the gate to its promise: every operation that uses an
// image, against an image in every state, named in every way, with terraform,
// the provider's program and the sandbox.
package gatematrix

import (
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/harvester-community/terraform-provider-harvester/internal/acctest"
	"github.com/harvester-community/terraform-provider-harvester/internal/imagestate"
)

// operation is one use of an image in a configuration.
type operation struct {
	op      imagestate.Operation
	address string
	// config are the arguments of the resource of that address. Image is an expression; class, a
	// storage class for encrypted images.
	config func(name, image, class string) string
}

var operations = []operation{
	{imagestate.CreateVM, "harvester_virtualmachine.use", func(name, image, _ string) string {
		return fmt.Sprintf(`
  name = %q
  disk {
    name        = "root"
    size        = "1Gi"
    image       = %s
    auto_delete = true
  }
  network_interface {
    name = "default"
  }`, name+"-vm", image)
	}},
	{imagestate.StartVM, "harvester_virtualmachine.start", func(name, volume, _ string) string {
		return fmt.Sprintf(`
  name = %q
  disk {
    name                 = "data"
    existing_volume_name = %s
  }
  network_interface {
    name = "default"
  }`, name+"-start", volume)
	}},
	{imagestate.CreateVolume, "harvester_volume.use", func(name, image, _ string) string {
		return fmt.Sprintf("\n  name = %q\n  size = \"1Gi\"\n  image = %s", name+"-volume", image)
	}},
	{imagestate.Encrypt, "harvester_encrypted_image.use", func(name, image, class string) string {
		return fmt.Sprintf("\n  name = %[1]q\n  display_name = %[1]q\n  source_image = %[2]s\n  storage_class_name = %[3]q", name+"-encrypted", image, class)
	}},
	{imagestate.Decrypt, "harvester_decrypted_image.use", func(name, image, _ string) string {
		return fmt.Sprintf("\n  name = %[1]q\n  display_name = %[1]q\n  source_image = %[2]s", name+"-decrypted", image)
	}},
	{imagestate.Download, "harvester_image_download.use", func(name, image, _ string) string {
		return fmt.Sprintf("\n  image = %s\n  filename = \"${path.module}/%s.img\"", image, name)
	}},
	{imagestate.Export, "harvester_image.use", func(name, volume, _ string) string {
		return fmt.Sprintf("\n  name = %[1]q\n  display_name = %[1]q\n  source_type = \"export-from-volume\"\n  pvc_namespace = \"default\"\n  pvc_name = %[2]s",
			name+"-export", volume)
	}},
	{imagestate.Use, "data.harvester_image.use", func(_, image, _ string) string {
		return fmt.Sprintf("\n  name = split(\"/\", %s)[1]\n  require_ready = true", image)
	}},
}

// state is what an image can be in when it is used.
type state struct {
	name    string
	arrange func(*testing.T, string)
	// summary and says are in every refusal; an empty summary means that all is accepted.
	summary, says string
	// own: the configuration itself makes the image.
	own bool
	// managed: it has made it before. Then the plan brings it to Active first, unless it does not look (-refresh=false).
	managed bool
	// plan are flags of the plan.
	plan []string
}

func states(cluster *acctest.Cluster) []state {
	held := func(percent int) func(*testing.T, string) {
		return func(t *testing.T, name string) { t.Helper(); cluster.HeldUpload(t, name, percent) }
	}
	const cause = "disk on fire"
	return []state{
		{name: "missing", arrange: func(*testing.T, string) {}, summary: "Image not found", says: "does not exist"},
		{name: "initializing", arrange: cluster.Initializing, summary: "Image is not ready", says: "Initializing"},
		{name: "uploading 40 %", arrange: held(40), summary: "Image is not ready", says: "Uploading, 40 %"},
		{name: "uploading 99 %", arrange: held(99), summary: "Image is not ready", says: "Uploading, 99 %"},
		{name: "being verified", arrange: cluster.Unverified, summary: "Image is not ready", says: "is being verified"},
		{name: "failed", arrange: func(t *testing.T, name string) { t.Helper(); cluster.Failed(t, name, cause) }, summary: "Image import failed", says: cause},
		{name: "retrying", arrange: func(t *testing.T, name string) { t.Helper(); cluster.Retrying(t, name, cause) }, summary: "Image is not ready", says: "failed of 4 allowed attempts"},
		{name: "deleting", arrange: cluster.Deleting, summary: "Image is being deleted", says: "is being deleted"},
		{name: "ready", arrange: func(t *testing.T, name string) { t.Helper(); cluster.Uploaded(t, name, 1<<20) }},
		{name: "made by this run", arrange: func(*testing.T, string) {}, own: true},
		{name: "managed, not ready any more", arrange: func(*testing.T, string) {}, own: true, managed: true},
		{
			name: "managed, not ready any more, not refreshed", arrange: func(*testing.T, string) {}, own: true, managed: true, plan: []string{"-refresh=false"},
			summary: "Image is not ready", says: "Initializing",
		},
	}
}

// form is a way to name an image. In its pattern, $kind is the address of what makes the
// image, or of the data source that finds it, and $name the name.
type form struct{ name, pattern string }

var forms = []form{
	{"id", `$kind.id`},
	{"namespace and name", `"${$kind.namespace}/${$kind.name}"`},
	{"literal", `"default/$name"`},
}

// TestAccGateMatrix plans every operation × state × form and counts what differs: an operation that does not name the image
// in its form is the same one in each form, and what only a data source refuses is one refusal.
func TestAccGateMatrix(t *testing.T) {
	t.Parallel()
	m := newMatrix(t)
	var good, all atomic.Int64
	for _, state := range states(m.cluster) {
		t.Run(state.name, func(t *testing.T) {
			t.Parallel()
			name := acctest.Name(t)
			state.arrange(t, name)
			work := m.workspace(t, "")
			if state.managed {
				m.manage(t, work, name)
			}
			m.volumeOf(t, name, state)
			if state.managed {
				m.cluster.Unready(t, name)
				m.cluster.Unready(t, name+"-sealed")
			}
			tried := map[string]bool{}
			for _, form := range forms {
				t.Run(form.name, func(t *testing.T) {
					m.try(t, work, cells{name, state, form, tried, &good, &all})
				})
			}
		})
	}
	t.Cleanup(func() {
		_, _ = fmt.Fprintf(os.Stdout, "gate: %d operations x %d states x %d forms: %d of %d distinct cells as stated\n",
			len(operations), len(states(m.cluster)), len(forms), good.Load(), all.Load())
	})
}

// cells are all operations on an image in one state, named in one form.
type cells struct {
	name  string
	state state
	form  form
	// tried are the cells of the state that were counted, good and all how many there are.
	tried     map[string]bool
	good, all *atomic.Int64
}

// count counts a cell, unless it was counted before.
func (c cells) count(cell string, good bool) {
	if c.tried[cell] {
		return
	}
	c.tried[cell] = true
	c.all.Add(1)
	if good {
		c.good.Add(1)
	}
}

// try plans all operations at once.
func (m *matrix) try(t *testing.T, work *workspace, c cells) {
	t.Helper()
	work.write(t, m.configuration(c.name, c.state, c.form))
	result := work.plan(t, c.state.plan...)
	for _, operation := range operations {
		cell := m.block(operation, c.name, c.state, c.form)
		wrong := result.judge(operation, c.state)
		if wrong == "" && len(result.errors[operation.address]) == 0 && c.state.summary != "" {
			cell = source // which is all that was asked
		}
		c.count(cell, wrong == "")
		if wrong != "" {
			t.Errorf("%s: %s; instead:\n%s", operation.op, wrong, result.text(operation.address))
		}
	}
	if c.state.managed && c.state.summary == "" && !result.planned["harvester_image.source"] {
		t.Error("the image is not brought to Active first")
	}
}

// judge says what is wrong with the plan of one operation.
func (r result) judge(o operation, s state) string {
	found := r.errors[o.address]
	if s.summary == "" {
		switch {
		case len(found) > 0:
			return "refused"
		case !r.planned[o.address] && !strings.HasPrefix(o.address, "data."):
			return "not planned"
		}
		return ""
	}
	for _, d := range found {
		if d.Summary == s.summary && strings.Contains(d.Detail, s.says) {
			return ""
		}
	}
	if len(found) == 0 {
		// What needs a data source cannot be planned once that has refused.
		for _, d := range r.errors[source] {
			if d.Summary == s.summary {
				return ""
			}
		}
	}
	return fmt.Sprintf("not refused with %q, %q", s.summary, s.says)
}

// TestAccGateMatrix_flip: every operation is planned while the image is ready,
// and applied when it is not any more.
func TestAccGateMatrix_flip(t *testing.T) {
	t.Parallel()
	m := newMatrix(t)
	name := acctest.Name(t)
	m.cluster.Uploaded(t, name, 1<<20)
	ready := state{name: "ready"}
	m.volumeOf(t, name, ready)
	work := m.workspace(t, m.configuration(name, ready, forms[len(forms)-1]))
	if planned := work.run(t, "plan", "-out=plan"); len(planned.errors) > 0 {
		t.Fatalf("the plan is refused: %v", planned.errors)
	}
	m.cluster.Unready(t, name)
	m.cluster.Unready(t, m.encrypted)
	applied := work.run(t, "apply", "plan")
	flipped, refused := state{name: "flipped", summary: "Image is not ready", says: "Initializing"}, 0
	for _, operation := range operations {
		if operation.op == imagestate.Use { // a data source is read once
			continue
		}
		if wrong := applied.judge(operation, flipped); wrong != "" {
			t.Errorf("%s: %s; instead:\n%s", operation.op, wrong, applied.text(operation.address))
			continue
		}
		refused++
	}
	_, _ = fmt.Fprintf(os.Stdout, "gate: flipped between plan and apply: %d of %d operations refused\n", refused, len(operations)-1)
}
