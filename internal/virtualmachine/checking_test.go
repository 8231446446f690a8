// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package virtualmachine

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/tfsdk"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
	"github.com/harvester-community/terraform-provider-harvester/internal/session"
	"github.com/harvester-community/terraform-provider-harvester/internal/virtualmachine/device"
	"github.com/harvester-community/terraform-provider-harvester/internal/virtualmachine/disk"
)

// rehearsals is a cluster that has these objects, by path, and judges rehearsals with the refusal, if there is one. It
// takes no other writes.
type rehearsals struct {
	t       *testing.T
	objects map[string]any
	refusal *metav1.Status

	mu   sync.Mutex
	seen []string
}

func (c *rehearsals) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var answer any = metav1.Status{TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: metav1.StatusFailure, Reason: metav1.StatusReasonNotFound, Code: http.StatusNotFound}
	code := http.StatusNotFound
	switch object, found := c.objects[r.URL.Path]; {
	case r.Method != http.MethodGet && r.URL.Query().Get("dryRun") != "All":
		c.t.Errorf("a plan writes: %s %s", r.Method, r.URL)
	case r.Method != http.MethodGet:
		c.mu.Lock()
		c.seen = append(c.seen, r.Method+" "+r.URL.Path)
		c.mu.Unlock()
		var body map[string]any
		_ = json.NewDecoder(r.Body).Decode(&body)
		code, answer = http.StatusOK, map[string]any{"kind": "VirtualMachine", "apiVersion": "kubevirt.io/v1", "metadata": map[string]any{"namespace": "default", "name": "vm"}}
		if c.refusal != nil {
			code, answer = int(c.refusal.Code), c.refusal
		}
	case found:
		code, answer = http.StatusOK, object
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(answer)
}

func connected(t *testing.T, handler http.Handler) *Resource {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	client, err := kube.Connect(kube.Connection{Host: server.URL, Token: "t"}, "test")
	if err != nil {
		t.Fatal(err)
	}
	r := &Resource{}
	r.connect(session.New(client, session.ChecksError, 1))
	return r
}

// look runs ModifyPlan against a cluster.
func look(t *testing.T, r *Resource, plan machine, state *machine) diag.Diagnostics {
	t.Helper()
	s := vmSchema()
	null := tftypes.NewValue(s.Type().TerraformType(t.Context()), nil)
	req := resource.ModifyPlanRequest{Plan: tfsdk.Plan{Schema: s, Raw: null}, State: tfsdk.State{Schema: s, Raw: null}, Config: tfsdk.Config{Schema: s, Raw: null}}
	noError(t, plan.pack(t.Context()))
	noError(t, req.Plan.Set(t.Context(), plan.model))
	config, err := tftypes.Transform(req.Plan.Raw, func(_ *tftypes.AttributePath, value tftypes.Value) (tftypes.Value, error) {
		if !value.IsKnown() {
			return tftypes.NewValue(value.Type(), nil), nil
		}
		return value, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	req.Config.Raw = config
	if state != nil {
		noError(t, state.pack(t.Context()))
		noError(t, req.State.Set(t.Context(), state.model))
	}
	resp := &resource.ModifyPlanResponse{Plan: req.Plan}
	r.ModifyPlan(t.Context(), req, resp)
	return resp.Diagnostics
}

// told are the findings, as severity, place and summary.
func told(diags diag.Diagnostics) []string {
	lines := []string{}
	for _, d := range diags {
		line := d.Severity().String()
		if at, ok := d.(diag.DiagnosticWithPath); ok {
			line += " " + at.Path().String()
		}
		lines = append(lines, line+": "+d.Summary())
	}
	slices.Sort(lines)
	return lines
}

const classPath = "/apis/storage.k8s.io/v1/storageclasses"

// emptyCluster has a default storage class and nothing else.
func emptyCluster() map[string]any {
	return map[string]any{
		classPath: map[string]any{"kind": "StorageClassList", "apiVersion": "storage.k8s.io/v1", "items": []any{
			map[string]any{"metadata": map[string]any{"name": "lh", "annotations": map[string]any{annotationDefaultClass: "true"}}},
		}},
		"/api/v1/nodes": map[string]any{"kind": "NodeList", "apiVersion": "v1", "items": []any{
			map[string]any{"metadata": map[string]any{"name": "node-1"}, "status": map[string]any{"allocatable": map[string]any{"vendor.com/there": "1", "vendor.com/taken": "0"}}},
		}},
	}
}

// referring is a machine that refers to things of every kind.
func referring() machine {
	m := basic()
	attached, classed := blankDisk("attached"), blankDisk("classed")
	attached.ExistingVolumeName, classed.StorageClassName = text("theirs"), text("fast")
	m.disks = []disk.Disk{attached, classed}
	m.interfaces[0].NetworkName = text("vlan")
	m.cloudInit = userData("")
	m.cloudInit.UserDataSecretName = text("seed")
	m.SSHKeys = types.ListValueMust(types.StringType, nil)
	m.hosts = []device.Host{{Name: text("a"), DeviceName: text("vendor.com/there")}, {Name: text("b"), DeviceName: text("vendor.com/taken")}}
	return m
}

// What a machine refers to and is not there is a warning where it is named, unless this run makes it.
func TestPlanMissing(t *testing.T) {
	t.Parallel()
	missing := []string{
		"Warning cloudinit[0].user_data_secret_name: Secret not found",
		"Warning disk[0].existing_volume_name: Volume not found",
		"Warning disk[1].storage_class_name: Storage class not found",
		"Warning host_device[1].device_name: Device not offered",
		"Warning network_interface[0].network_name: Network not found",
	}
	cluster := &rehearsals{t: t, objects: emptyCluster()}
	found := look(t, connected(t, cluster), referring(), nil)
	if got := told(found); !slices.Equal(got, missing) {
		t.Errorf("missing: got\n%s", strings.Join(got, "\n"))
	}
	for _, d := range found {
		if strings.Contains(d.Detail(), nothingDone) || !strings.Contains(d.Detail(), "That is well if this run") {
			t.Errorf("%s: %s", d.Summary(), d.Detail())
		}
	}

	promising := connected(t, cluster)
	promising.Session.Objects.Add(session.Object(api.PersistentVolumeClaims, "default", "theirs"))
	promising.Session.Objects.Add(session.Object(api.Secrets, "default", "seed"))
	promising.Session.Objects.Add(session.Object(attachments, "default", "vlan"))
	promising.Session.Classes.Add("fast")
	if got := told(look(t, promising, referring(), nil)); !slices.Equal(got, missing[3:4]) {
		t.Errorf("promised: got\n%s", strings.Join(got, "\n"))
	}

	off := connected(t, cluster)
	off.Session.PlanChecks = session.ChecksOff
	if got := told(look(t, off, referring(), nil)); len(got) > 0 {
		t.Errorf("switched off: got\n%s", strings.Join(got, "\n"))
	}
	if len(cluster.seen) > 0 {
		t.Errorf("asked in vain: %s", cluster.seen)
	}

	// Right before the first write the same is an error.
	c := checking{Resource: connected(t, cluster), applying: true}
	_, _, diags := c.run(t.Context(), referring(), nil)
	want := slices.DeleteFunc(slices.Clone(missing), func(line string) bool { return strings.Contains(line, "host_device") })
	for i := range want {
		want[i] = strings.Replace(want[i], "Warning", "Error", 1)
	}
	if got := told(diags); !slices.Equal(got, want) {
		t.Errorf("at apply: got\n%s", strings.Join(got, "\n"))
	}
	for _, d := range diags {
		if !strings.Contains(d.Detail(), nothingDone) || strings.Contains(d.Detail(), "restarted") {
			t.Errorf("%s: %s", d.Summary(), d.Detail())
		}
	}
}

// What webhooks would refuse is refused at plan, on the argument to blame; what may pass by then is a warning.
func TestPlanRehearses(t *testing.T) {
	t.Parallel()
	refused := func(code int32, reason metav1.StatusReason, message, field string) *metav1.Status {
		status := &metav1.Status{TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: metav1.StatusFailure, Code: code, Reason: reason, Message: message}
		if field != "" {
			status.Details = &metav1.StatusDetails{Causes: []metav1.StatusCause{{Message: message, Field: field}}}
		}
		return status
	}
	const denied = `admission webhook "x" denied the request: `
	create, change := "POST /apis/kubevirt.io/v1/namespaces/default/virtualmachines", "PATCH /apis/kubevirt.io/v1/namespaces/default/virtualmachines/vm"
	plan := func() machine {
		m := basic()
		m.disks = []disk.Disk{blankDisk("root"), blankDisk("data")}
		return m
	}
	for name, test := range map[string]struct {
		refusal *metav1.Status
		state   bool
		want    string
	}{
		"accepted":             {nil, false, ""},
		"a change, accepted":   {nil, true, ""},
		"a disk is wrong":      {refused(422, metav1.StatusReasonInvalid, denied+"no", "spec.template.spec.domain.devices.disks[1].bootOrder"), false, "Error disk[1].boot_order: Rejected by the cluster"},
		"an interface":         {refused(422, metav1.StatusReasonInvalid, denied+"no", "spec.template.spec.domain.devices.interfaces[0].macAddress"), false, "Error network_interface[0].mac_address: Rejected by the cluster"},
		"the machine type":     {refused(422, metav1.StatusReasonInvalid, denied+"no", "spec.template.spec.domain.machine.type"), true, "Error machine_type: Rejected by the cluster"},
		"somewhere":            {refused(500, "", denied+"no", ""), false, "Error: Rejected by the cluster"},
		"a volume of others":   {refused(422, metav1.StatusReasonInvalid, denied+"PVC a is "+inUse, ""), false, "Warning: Harvester would refuse this now"},
		"something not there":  {refused(500, "", denied+`x "vlan" not found`, ""), false, "Warning: Harvester would refuse this now"},
		"a replacement":        {refused(409, metav1.StatusReasonAlreadyExists, "exists", ""), false, ""},
		"not allowed to":       {refused(403, metav1.StatusReasonForbidden, "no", ""), false, ""},
		"the server is broken": {refused(503, metav1.StatusReasonServiceUnavailable, "busy", ""), false, "Warning: Checks were left out"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			objects, asked := emptyCluster(), create
			m, state := plan(), (*machine)(nil)
			if test.state {
				asked = change
				there := plan()
				there.disks = []disk.Disk{volumeDisk("root", "v-root"), volumeDisk("data", "v-data")}
				live := live(t, there)
				live.Kind, live.APIVersion = "VirtualMachine", "kubevirt.io/v1"
				objects["/apis/kubevirt.io/v1/namespaces/default/virtualmachines/vm"] = live
				state = stored(volumeDisk("root", "v-root"), volumeDisk("data", "v-data"))
				for i := range state.disks {
					state.disks[i].Image = types.StringNull()
				}
				m.CPU = types.Int64Value(2)
			}
			cluster := &rehearsals{t: t, objects: objects, refusal: test.refusal}
			if got := strings.Join(told(look(t, connected(t, cluster), m, state)), "; "); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
			if test.want != "Warning: Checks were left out" && !slices.Equal(cluster.seen, []string{asked}) {
				t.Errorf("asked %q, want %q", cluster.seen, asked)
			}
		})
	}
}

// A server that takes the question and never answers does not keep a plan for ever.
func TestPlanEnds(t *testing.T) {
	t.Parallel()
	silence := make(chan struct{})
	t.Cleanup(func() { close(silence) })
	r := connected(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-silence:
		case <-r.Context().Done():
		}
	}))
	r.Session.Checking = 200 * time.Millisecond
	begun := time.Now()
	got := told(look(t, r, referring(), nil))
	if took := time.Since(begun); took > 10*time.Second {
		t.Errorf("took %s", took)
	}
	if !slices.Equal(got, []string{"Warning: Checks were left out"}) {
		t.Errorf("got %q", got)
	}
}

// Secrets are asked for one by one, all else in lists that all machines of a plan share.
func TestPlanReadsLists(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	asked := map[string]int{}
	cluster := &rehearsals{t: t, objects: emptyCluster()}
	r := connected(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		asked[r.Method+" "+r.URL.Path]++
		mu.Unlock()
		cluster.ServeHTTP(w, r)
	}))
	plan := basic()
	plan.disks = []disk.Disk{blankDisk("root")}
	for range 20 {
		noError(t, look(t, r, plan, nil))
	}
	for path, times := range asked {
		if strings.HasPrefix(path, "GET") && times > 2 {
			t.Errorf("%s was asked for %d times", path, times)
		}
	}
}
