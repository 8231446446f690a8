// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/providerserver"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// kinds are the kinds of objects in a cluster: the id, the path of the API, and an object of it.
var kinds = map[string]struct{ id, path, object string }{
	"harvester_ssh_key": {
		"default/a", "/apis/harvesterhci.io/v1beta1/namespaces/default/keypairs/a",
		`"apiVersion":"harvesterhci.io/v1beta1","kind":"KeyPair","spec":{"publicKey":"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIt8d1W8vkXo7JYH0VfUEVQ3Tz6kkS8iV1N1Yqv4Yx0r"}`,
	},
	"harvester_cloudinit_secret": {
		"default/a", "/api/v1/namespaces/default/secrets/a", `"apiVersion":"v1","kind":"Secret","data":{"userdata":"YQ=="}`,
	},
	"harvester_storageclass": {
		"a", "/apis/storage.k8s.io/v1/storageclasses/a", `"apiVersion":"storage.k8s.io/v1","kind":"StorageClass","provisioner":"driver.longhorn.io"`,
	},
	"harvester_clusternetwork": {
		"a", "/apis/network.harvesterhci.io/v1beta1/clusternetworks/a", `"apiVersion":"network.harvesterhci.io/v1beta1","kind":"ClusterNetwork"`,
	},
	"harvester_vlanconfig": {
		"a", "/apis/network.harvesterhci.io/v1beta1/vlanconfigs/a",
		`"apiVersion":"network.harvesterhci.io/v1beta1","kind":"VlanConfig","spec":{"clusterNetwork":"c","uplink":{"nics":["eno1"]}}`,
	},
	"harvester_network": {
		"default/a", "/apis/k8s.cni.cncf.io/v1/namespaces/default/network-attachment-definitions/a",
		`"apiVersion":"k8s.cni.cncf.io/v1","kind":"NetworkAttachmentDefinition","spec":{"config":"{\"type\":\"bridge\",\"bridge\":\"c-br\",\"vlan\":7}"}`,
	},
	"harvester_volume": {
		"default/a", "/api/v1/namespaces/default/persistentvolumeclaims/a",
		`"apiVersion":"v1","kind":"PersistentVolumeClaim","spec":{"accessModes":["ReadWriteMany"],"resources":{"requests":{"storage":"1Gi"}}},"status":{"phase":"Bound"}`,
	},
	"harvester_virtualmachine": {
		"default/a", "/apis/kubevirt.io/v1/namespaces/default/virtualmachines/a",
		`"apiVersion":"kubevirt.io/v1","kind":"VirtualMachine","spec":{"template":{"metadata":{},"spec":{"domain":{"devices":{}}}}}`,
	},
	"harvester_ippool": {
		"a", "/apis/loadbalancer.harvesterhci.io/v1beta1/ippools/a",
		`"apiVersion":"loadbalancer.harvesterhci.io/v1beta1","kind":"IPPool","spec":{"ranges":[{"subnet":"192.0.2.0/24"}]}`,
	},
	"harvester_loadbalancer": {
		"default/a", "/apis/loadbalancer.harvesterhci.io/v1beta1/namespaces/default/loadbalancers/a",
		`"apiVersion":"loadbalancer.harvesterhci.io/v1beta1","kind":"LoadBalancer","spec":{"ipam":"pool","workloadType":"vm",` +
			`"listeners":[{"name":"a","port":80,"protocol":"TCP","backendPort":80}]}`,
	},
	"harvester_schedule_backup": {
		"default/web/a", "/apis/harvesterhci.io/v1beta1/namespaces/default/schedulevmbackups/a",
		`"apiVersion":"harvesterhci.io/v1beta1","kind":"ScheduleVMBackup","spec":{"cron":"0 3 * * *","retain":5,"maxFailure":4,"vmbackup":{"type":"snapshot","source":{"name":"web"}}}`,
	},
	"harvester_image": {"default/a", imagePath, `"apiVersion":"harvesterhci.io/v1beta1","kind":"VirtualMachineImage","spec":{"displayName":"a","sourceType":"upload"}`},
	"harvester_encrypted_image": {
		"default/a", imagePath, `"apiVersion":"harvesterhci.io/v1beta1","kind":"VirtualMachineImage","spec":{"displayName":"a","sourceType":"clone",` +
			`"securityParameters":{"cryptoOperation":"encrypt","sourceImageName":"b","sourceImageNamespace":"default"}}`,
	},
	"harvester_decrypted_image": {
		"default/a", imagePath, `"apiVersion":"harvesterhci.io/v1beta1","kind":"VirtualMachineImage","spec":{"displayName":"a","sourceType":"clone",` +
			`"securityParameters":{"cryptoOperation":"decrypt","sourceImageName":"b","sourceImageNamespace":"default"}}`,
	},
}

const imagePath = "/apis/harvesterhci.io/v1beta1/namespaces/default/virtualmachineimages/a"

// An object is known by its UID. What others put in its place is shown, with a warning, and neither
// changed nor deleted; only its absence removes it from the state.
func TestIdentity(t *testing.T) {
	t.Parallel()
	for name, kind := range kinds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCourse(t, name, kind.path, kind.object)
			c.importID(kind.id)
			if c.state.IsNull() || c.warned != "" {
				t.Fatalf("the import ends with %v, %s", c.state, c.warned)
			}

			c.cluster.set("B", 0)
			if c.read(); c.state.IsNull() || c.warned != "Made anew by others" || c.failed != "" {
				t.Errorf("another object of the name is met with %q, %q", c.warned, c.failed)
			}
			if c.destroy(); c.warned != "Not deleted" || c.failed != "" || c.cluster.deletions() != "" {
				t.Errorf("its deletion ends with %q, %q, after %s", c.warned, c.failed, c.cluster.deletions())
			}

			for _, code := range []int{http.StatusUnauthorized, http.StatusForbidden, http.StatusConflict, http.StatusInternalServerError, http.StatusServiceUnavailable} {
				c.cluster.set("A", code)
				if c.read(); c.state.IsNull() || c.failed == "" {
					t.Errorf("a %d leaves the state as %v, %s", code, c.state, c.failed)
				}
			}

			c.cluster.set("A", 0)
			before := c.state
			if c.destroy(); c.failed != "" || !strings.Contains(c.cluster.deletions(), `"uid":"A"`) {
				t.Errorf("the deletion ends with %q, and asks for %s", c.failed, c.cluster.deletions())
			}
			c.state = before
			if c.read(); !c.state.IsNull() || c.failed != "" {
				t.Errorf("what is gone is still there: %v, %s", c.state, c.failed)
			}
			c.state = before
			if c.destroy(); c.failed != "" {
				t.Errorf("the deletion of what is gone fails: %s", c.failed)
			}
		})
	}
}

// What is being deleted stays in the state until it is gone, and another one is planned in its place:
// a destroy that was killed while it waited must not look as if nothing had happened.
func TestTerminating(t *testing.T) {
	t.Parallel()
	for name, kind := range kinds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCourse(t, name, kind.path, kind.object)
			c.importID(kind.id)
			if replaced := c.plan(); len(replaced) > 0 {
				t.Errorf("before it is deleted, %s would replace it", replaced)
			}
			c.cluster.terminate("example.com/hold")
			if c.read(); c.state.IsNull() || c.failed != "" {
				t.Fatalf("the state is %v, %s", c.state, c.failed)
			}
			if state, message := c.text("state"), c.text("message"); state != "Terminating" || message != "Being deleted, held by example.com/hold." && !strings.HasSuffix(name, "image") {
				t.Errorf("it is shown as %q, %q", state, message)
			}
			if replaced := c.plan(); !slices.Equal(replaced, []string{`AttributeName("state")`}) {
				t.Errorf("what is being deleted is replaced for %s, %s", replaced, c.failed)
			}
		})
	}
}

// Devices belong to their node. Only their absence removes them from the state, and it needs nothing to be destroyed; neither
// does a cluster without the add-on, where nothing is known of them (C4, D1, D5, F2).
func TestDevices(t *testing.T) {
	t.Parallel()
	for name, path := range map[string]string{"harvester_pcidevice": "pcidevices", "harvester_sriov_network_device": "sriovnetworkdevices"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCourse(t, name, "/apis/devices.harvesterhci.io/v1beta1/"+path+"/a", `"apiVersion":"devices.harvesterhci.io/v1beta1","kind":"X","spec":{"numVFs":2}`)
			c.importID("a")
			if c.state.IsNull() || c.failed != "" || c.text("name") != "a" {
				t.Fatalf("the import ends with %v, %s", c.state, c.failed)
			}
			c.cluster.set("B", 0)
			if c.read(); c.state.IsNull() || c.failed != "" || c.warned != "" {
				t.Errorf("an object that the node made anew ends with %v, %s, %s", c.state, c.failed, c.warned)
			}
			for _, code := range []int{http.StatusForbidden, http.StatusServiceUnavailable} {
				c.cluster.set("A", code)
				if c.read(); c.state.IsNull() || c.failed == "" {
					t.Errorf("a %d leaves the state as %v, %s", code, c.state, c.failed)
				}
			}
			c.cluster.set("A", 0)
			c.cluster.unserved = true
			if c.read(); c.state.IsNull() || !strings.HasSuffix(c.failed, "are not enabled") {
				t.Errorf("without the add-on: %v, %s", c.state, c.failed)
			}
			before := c.state
			if c.destroy(); c.failed != "" {
				t.Errorf("without the add-on the end fails: %s", c.failed)
			}
			c.cluster.set("", 0)
			c.cluster.unserved = false
			c.state = before
			if c.destroy(); c.failed != "" {
				t.Errorf("the end of what is gone fails: %s", c.failed)
			}
			c.state = before
			if c.read(); !c.state.IsNull() || c.failed != "" {
				t.Errorf("what is gone is still there: %v, %s", c.state, c.failed)
			}
		})
	}
}

// oneObject is a cluster with one object.
type oneObject struct {
	mu           sync.Mutex
	path, object string
	uid          string
	holder       string // the finalizer, if it is being deleted
	code         int    // to answer with instead of the object
	refusal      string // what the webhooks say to the next write
	unserved     bool   // the kind is not known, as without the add-on that brings it
	requests     []string
}

func (c *oneObject) set(uid string, code int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.uid, c.code, c.requests = uid, code, nil
}

func (c *oneObject) terminate(holder string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.holder = holder
}

func (c *oneObject) refuse(message string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.refusal, c.requests = message, nil
}

// deletions are the requests to delete, with their bodies.
func (c *oneObject) deletions() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var found []string
	for _, request := range c.requests {
		if strings.HasPrefix(request, http.MethodDelete) {
			found = append(found, request)
		}
	}
	return strings.Join(found, "\n")
}

func (c *oneObject) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	body, _ := io.ReadAll(req.Body)
	c.requests = append(c.requests, req.Method+" "+req.URL.Path+" "+string(body))
	w.Header().Set("Content-Type", "application/json")
	here := req.URL.Path == c.path
	switch {
	case c.unserved:
		w.Header().Set("Content-Type", "text/plain")
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, "404 page not found\n")
	case c.code != 0 && (here || strings.HasPrefix(c.path, req.URL.Path)):
		w.WriteHeader(c.code)
		_, _ = fmt.Fprintf(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","code":%d,"reason":"Trouble","message":"trouble"}`, c.code)
	case here && req.Method == http.MethodDelete && c.refusal != "":
		w.WriteHeader(http.StatusInternalServerError)
		_, _ = fmt.Fprintf(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","code":500,"reason":"InternalError","message":"%s"}`, c.refusal)
		c.refusal = ""
	case here && c.uid != "":
		uid := c.uid
		if req.Method == http.MethodDelete {
			c.uid = ""
		}
		ending := ""
		if c.holder != "" {
			ending = fmt.Sprintf(`,"deletionTimestamp":"2026-01-01T00:00:00Z","finalizers":[%q]`, c.holder)
		}
		_, _ = fmt.Fprintf(w, `{"metadata":{"namespace":%q,"name":"a","uid":%q,"resourceVersion":"1"%s},%s}`, namespaceOf(c.path), uid, ending, c.object)
	case strings.HasPrefix(c.path, req.URL.Path+"/"):
		_, _ = fmt.Fprintf(w, `{"kind":"List","apiVersion":"v1","metadata":{},"items":[]}`)
	default:
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","code":404,"reason":"NotFound","message":"not found"}`)
	}
}

func namespaceOf(path string) string {
	_, after, found := strings.Cut(path, "/namespaces/")
	if !found {
		return ""
	}
	namespace, _, _ := strings.Cut(after, "/")
	return namespace
}

// course is a resource's way through the protocol.
type course struct {
	*testing.T
	cluster *oneObject // nil if it is another one
	server  tfprotov6.ProviderServer
	name    string
	schema  *tfprotov6.Schema
	kind    tftypes.Type

	state          tftypes.Value
	private        []byte
	address        *tfprotov6.ResourceIdentityData
	warned, failed string // summaries
	details        string
}

func newCourse(t *testing.T, name, path, object string) *course {
	t.Helper()
	cluster := &oneObject{path: path, object: object, uid: "A"}
	c := courseIn(t, name, cluster, nil)
	c.cluster = cluster
	return c
}

// courseIn is a course in a cluster, with more arguments of the provider block.
func courseIn(t *testing.T, name string, cluster http.Handler, more map[string]tftypes.Value) *course {
	t.Helper()
	c := &course{T: t, name: name}
	api := httptest.NewTLSServer(cluster)
	t.Cleanup(api.Close)
	t.Cleanup(api.CloseClientConnections) // watches do not end by themselves
	var err error
	if c.server, err = providerserver.NewProtocol6WithError(New("test")())(); err != nil {
		t.Fatal(err)
	}
	schemas, err := c.server.GetProviderSchema(t.Context(), &tfprotov6.GetProviderSchemaRequest{})
	if err != nil {
		t.Fatal(err)
	}
	c.schema = schemas.ResourceSchemas[name]
	c.kind = c.schema.ValueType()
	block := schemas.Provider.ValueType().(tftypes.Object)
	config := map[string]tftypes.Value{}
	for attribute, kind := range block.AttributeTypes {
		config[attribute] = tftypes.NewValue(kind, nil)
	}
	config["host"] = tftypes.NewValue(tftypes.String, api.URL)
	config["token"] = tftypes.NewValue(tftypes.String, "token-x:y")
	config["insecure"] = tftypes.NewValue(tftypes.Bool, true)
	maps.Copy(config, more)
	value, err := tfprotov6.NewDynamicValue(block, tftypes.NewValue(block, config))
	if err != nil {
		t.Fatal(err)
	}
	configured, err := c.server.ConfigureProvider(t.Context(), &tfprotov6.ConfigureProviderRequest{Config: &value})
	if err != nil || len(configured.Diagnostics) > 0 {
		t.Fatal(err, configured.Diagnostics)
	}
	return c
}

func (c *course) importID(id string) {
	c.Helper()
	imported, err := c.server.ImportResourceState(c.Context(), &tfprotov6.ImportResourceStateRequest{TypeName: c.name, ID: id})
	if err != nil || len(imported.ImportedResources) != 1 {
		c.Fatal(err, imported.Diagnostics)
	}
	c.address = imported.ImportedResources[0].Identity
	c.take(imported.ImportedResources[0].State, imported.ImportedResources[0].Private, imported.Diagnostics)
	c.read()
}

func (c *course) read() {
	c.Helper()
	answer, err := c.server.ReadResource(c.Context(), &tfprotov6.ReadResourceRequest{
		TypeName: c.name, CurrentState: c.dynamic(c.state), Private: c.private, CurrentIdentity: c.address,
	})
	if err != nil {
		c.Fatal(err)
	}
	c.address = answer.NewIdentity
	c.take(answer.NewState, answer.Private, answer.Diagnostics)
}

// plan returns the attributes for which another object is planned. The configuration is what the state tells.
func (c *course) plan() (replaced []string) {
	c.Helper()
	var values map[string]tftypes.Value
	if err := c.state.As(&values); err != nil {
		c.Fatal(err)
	}
	values = maps.Clone(values) // it is the state's own
	for _, attribute := range c.schema.Block.Attributes {
		if !attribute.Optional && !attribute.Required {
			values[attribute.Name] = tftypes.NewValue(attribute.Type, nil)
		}
	}
	config := c.dynamic(tftypes.NewValue(c.kind, values))
	answer, err := c.server.PlanResourceChange(c.Context(), &tfprotov6.PlanResourceChangeRequest{
		TypeName: c.name, PriorState: c.dynamic(c.state), ProposedNewState: c.dynamic(c.state), Config: config, PriorPrivate: c.private,
	})
	if err != nil {
		c.Fatal(err)
	}
	state := c.state
	c.take(answer.PlannedState, c.private, answer.Diagnostics)
	c.state = state
	for _, at := range answer.RequiresReplace {
		replaced = append(replaced, at.String())
	}
	return replaced
}

// text is an attribute of the state.
func (c *course) text(attribute string) (text string) {
	c.Helper()
	var values map[string]tftypes.Value
	if err := c.state.As(&values); err != nil {
		c.Fatal(err)
	}
	if err := values[attribute].As(&text); err != nil {
		c.Fatal(err)
	}
	return text
}

// destroy leaves the state as it is: it is what the next step goes on with.
func (c *course) destroy() {
	c.Helper()
	none := c.dynamic(tftypes.NewValue(c.kind, nil))
	answer, err := c.server.ApplyResourceChange(c.Context(), &tfprotov6.ApplyResourceChangeRequest{
		TypeName: c.name, PriorState: c.dynamic(c.state), PlannedState: none, Config: none, PlannedPrivate: c.private,
	})
	if err != nil {
		c.Fatal(err)
	}
	state := c.state
	c.take(answer.NewState, c.private, answer.Diagnostics)
	c.state = state
}

func (c *course) take(state *tfprotov6.DynamicValue, private []byte, diagnostics []*tfprotov6.Diagnostic) {
	c.Helper()
	var err error
	if c.state, err = state.Unmarshal(c.kind); err != nil {
		c.Fatal(err)
	}
	c.private, c.warned, c.failed, c.details = private, "", "", ""
	for _, d := range diagnostics {
		c.details += d.Detail + "\n"
		if d.Severity == tfprotov6.DiagnosticSeverityError {
			c.failed += d.Summary
		} else {
			c.warned += d.Summary
		}
	}
}

func (c *course) dynamic(value tftypes.Value) *tfprotov6.DynamicValue {
	c.Helper()
	dynamic, err := tfprotov6.NewDynamicValue(c.kind, value)
	if err != nil {
		c.Fatal(err)
	}
	return &dynamic
}
