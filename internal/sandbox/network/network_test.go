// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package network

import (
	"context"
	"fmt"
	"strings"
	"testing"

	networkv1 "github.com/harvester/harvester-network-controller/pkg/apis/network.harvesterhci.io/v1beta1"
	"github.com/harvester/harvester-network-controller/pkg/utils"
	cniv1 "github.com/k8snetworkplumbingwg/network-attachment-definition-client/pkg/apis/k8s.cni.cncf.io/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/harvester-community/terraform-provider-harvester/internal/sandbox/faults"
	"github.com/harvester-community/terraform-provider-harvester/internal/sandbox/manager"
)

const secondNode = "harvester-node-1"

// rig is a Network on a fake API with two nodes.
type rig struct {
	*Network
	*testing.T
}

func newRig(t *testing.T, objects ...client.Object) rig {
	t.Helper()
	for _, name := range []string{firstNode, secondNode} {
		objects = append(objects, &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}})
	}
	api := fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).Build()
	return rig{&Network{Options: Options{Faults: faults.NewSwitch(), Log: manager.Log(nil)}, api: api}, t}
}

func uplink(matched string, nics ...string) *networkv1.VlanConfig {
	return &networkv1.VlanConfig{
		ObjectMeta: metav1.ObjectMeta{Name: "uplink", UID: "1", Annotations: map[string]string{utils.KeyMatchedNodes: matched}},
		Spec:       networkv1.VlanConfigSpec{ClusterNetwork: "c", Uplink: networkv1.Uplink{NICs: nics}},
	}
}

// settle runs the agents until they have nothing to do.
func (r rig) settle() {
	r.Helper()
	for range 4 {
		if _, err := r.reconcileUplink(r.Context(), reconcile.Request{NamespacedName: types.NamespacedName{Name: "uplink"}}); err != nil && !apierrors.IsConflict(err) {
			r.Fatal(err)
		}
	}
}

// said is what all nodes say, and which of them have the labels.
func (r rig) said() string {
	r.Helper()
	var statuses networkv1.VlanStatusList
	var nodes corev1.NodeList
	if err := r.api.List(r.Context(), &statuses); err != nil {
		r.Fatal(err)
	}
	if err := r.api.List(r.Context(), &nodes); err != nil {
		r.Fatal(err)
	}
	var said []string
	for _, status := range statuses.Items {
		said = append(said, fmt.Sprintf("%s %v %s", status.Status.Node, networkv1.Ready.IsTrue(&status), networkv1.Ready.GetMessage(&status)))
	}
	for _, node := range nodes.Items {
		if node.Labels["network.harvesterhci.io/c"] == "true" {
			said = append(said, "label "+node.Name)
		}
	}
	return strings.Join(said, "; ")
}

func (r rig) change(change func(*networkv1.VlanConfig)) {
	r.Helper()
	live := &networkv1.VlanConfig{}
	if err := r.api.Get(r.Context(), types.NamespacedName{Name: "uplink"}, live); err != nil {
		r.Fatal(err)
	}
	change(live)
	if err := r.api.Update(r.Context(), live); err != nil {
		r.Fatal(err)
	}
}

func TestUplink(t *testing.T) {
	t.Parallel()
	r := newRig(t, uplink(`["harvester-node-0","harvester-node-1"]`, "ens2f0"))
	r.settle()
	want := "harvester-node-0 true ; harvester-node-1 false get link ens2f0 failed, error: Link not found; label harvester-node-0"
	if got := r.said(); got != want {
		t.Errorf("set up: got %q, want %q", got, want)
	}
	r.change(func(u *networkv1.VlanConfig) {
		u.Annotations[utils.KeyMatchedNodes] = `["harvester-node-1"]`
		u.Spec.Uplink.NICs = []string{"eno1"}
	})
	r.settle()
	if got := r.said(); got != "harvester-node-1 true ; label harvester-node-1" {
		t.Errorf("moved: got %q", got)
	}
	live := &networkv1.VlanConfig{}
	if err := r.api.Get(t.Context(), types.NamespacedName{Name: "uplink"}, live); err != nil {
		t.Fatal(err)
	}
	if err := r.api.Delete(t.Context(), live); err != nil {
		t.Fatal(err)
	}
	r.settle()
	if got := r.said(); got != "" {
		t.Errorf("deleted: got %q", got)
	}
	if err := r.api.Get(context.Background(), types.NamespacedName{Name: "uplink"}, live); !apierrors.IsNotFound(err) {
		t.Errorf("it is still there: %v", err)
	}
}

func TestUplinkFaults(t *testing.T) {
	t.Parallel()
	r := newRig(t, uplink(`["harvester-node-0"]`, "eno1"))
	r.Faults.Set("vlanconfigs/uplink", faults.Fault{AgentSilent: true})
	r.settle()
	if got := r.said(); got != "" {
		t.Errorf("silent: got %q", got)
	}
	r.Faults.Set("vlanconfigs/uplink", faults.Fault{SetupError: "device busy"})
	r.settle()
	if got := r.said(); got != "harvester-node-0 false device busy" {
		t.Errorf("failing: got %q", got)
	}
	r.Faults.ClearAll()
	r.settle()
	if got := r.said(); got != "harvester-node-0 true ; label harvester-node-0" {
		t.Errorf("cleared: got %q", got)
	}
}

func TestSetupFailure(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		nic   string
		bonds map[string]int
		want  string
	}{
		"free":         {"eno1", nil, ""},
		"its own":      {"eno1", map[string]int{"eno1": index("c")}, ""},
		"of another":   {"eno1", map[string]int{"eno1": 7}, "eno1 has been enslaved by the link with index 7"},
		"of the nodes": {"eno0", nil, "eno0 has been enslaved by the link with index 2"},
		"none":         {"eno9", nil, "get link eno9 failed, error: Link not found"},
	} {
		if got := setupFailure(uplink("", test.nic), firstNode, test.bonds); got != test.want {
			t.Errorf("%s: got %q", name, got)
		}
	}
}

func TestCards(t *testing.T) {
	t.Parallel()
	r := newRig(t, uplink(`["harvester-node-1"]`, "eno1"), &networkv1.LinkMonitor{ObjectMeta: metav1.ObjectMeta{Name: cardMonitor}})
	r.settle()
	if _, err := r.reconcileCards(t.Context(), reconcile.Request{NamespacedName: types.NamespacedName{Name: cardMonitor}}); err != nil {
		t.Fatal(err)
	}
	monitor := &networkv1.LinkMonitor{}
	if err := r.api.Get(t.Context(), types.NamespacedName{Name: cardMonitor}, monitor); err != nil {
		t.Fatal(err)
	}
	masters := map[string]int{}
	for node, links := range monitor.Status.LinkStatus {
		for _, link := range links {
			masters[node+" "+link.Name] = link.MasterIndex
		}
	}
	if masters[firstNode+" eno1"] != 0 || masters[secondNode+" eno1"] != index("c") || masters[secondNode+" eno0"] != managementBond {
		t.Errorf("got %v", masters)
	}
	if _, has := masters[secondNode+" ens2f0"]; has || len(masters) != 2*22+1 {
		t.Errorf("%d cards: %v", len(masters), masters)
	}
}

func TestAnswer(t *testing.T) {
	t.Parallel()
	leased := `{"mode":"auto","cidr":"198.51.100.0/24","gateway":"198.51.100.1","connectivity":"true"}`
	for name, test := range map[string]struct{ route, fault, want string }{
		"auto":             {`{"mode":"auto"}`, "", leased},
		"known":            {leased, "", leased},
		"another VLAN":     {`{"mode":"auto","cidr":"10.0.0.0/8","gateway":"10.0.0.1","connectivity":"true","outdated":true}`, "", leased},
		"no DHCP":          {`{"mode":"auto"}`, "DHCP failed", `{"mode":"auto","connectivity":"DHCP failed"}`},
		"still no DHCP":    {`{"mode":"auto","connectivity":"DHCP failed"}`, "DHCP failed", `{"mode":"auto","connectivity":"DHCP failed"}`},
		"manual":           {`{"mode":"manual","cidr":"10.0.0.0/8","gateway":"10.0.0.1"}`, "", `{"mode":"manual","cidr":"10.0.0.0/8","gateway":"10.0.0.1","connectivity":"true"}`},
		"manual, no ping":  {`{"mode":"manual","cidr":"10.0.0.0/8","gateway":"10.0.0.1"}`, "ping failed", `{"mode":"manual","cidr":"10.0.0.0/8","gateway":"10.0.0.1","connectivity":"ping failed"}`},
		"auto, no gateway": {`{"mode":"auto","serverIPAddr":"10.0.0.9"}`, "false", `{"mode":"auto","cidr":"198.51.100.0/24","gateway":"198.51.100.1","serverIPAddr":"10.0.0.9","connectivity":"false"}`},
	} {
		r := newRig(t)
		r.Faults.Set("default/a", faults.Fault{RouteConnectivity: test.fault})
		route, err := utils.NewLayer3NetworkConf(test.route)
		if err != nil {
			t.Fatal(err)
		}
		r.answer(&cniv1.NetworkAttachmentDefinition{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "a"}}, route)
		if got, _ := route.ToString(); got != test.want {
			t.Errorf("%s: got %s, want %s", name, got, test.want)
		}
	}
}

// The labels are those of the real helpers, and the MTU of the cluster network reaches the network.
func TestAttachment(t *testing.T) {
	t.Parallel()
	cluster := &networkv1.ClusterNetwork{ObjectMeta: metav1.ObjectMeta{Name: "c", Annotations: map[string]string{utils.KeyUplinkMTU: "9000"}}}
	networkv1.Ready.True(&cluster.Status)
	r := newRig(t, cluster, &cniv1.NetworkAttachmentDefinition{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "a"},
		Spec:       cniv1.NetworkAttachmentDefinitionSpec{Config: `{"type":"bridge","bridge":"c-br","vlan":7}`},
	})
	if _, err := r.reconcileAttachment(t.Context(), reconcile.Request{NamespacedName: types.NamespacedName{Namespace: "default", Name: "a"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.reconcileClusterNetwork(t.Context(), reconcile.Request{NamespacedName: types.NamespacedName{Name: "c"}}); err != nil {
		t.Fatal(err)
	}
	network := &cniv1.NetworkAttachmentDefinition{}
	if err := r.api.Get(t.Context(), types.NamespacedName{Namespace: "default", Name: "a"}, network); err != nil {
		t.Fatal(err)
	}
	if err := r.api.Get(t.Context(), types.NamespacedName{Name: "c"}, cluster); err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprint(network.Labels[utils.KeyNetworkType], network.Labels[utils.KeyVlanLabel], network.Labels[utils.KeyNetworkReady], network.Spec.Config, cluster.Annotations[utils.KeyVlanIDSetStr])
	if want := `L2VlanNetwork7true{"bridge":"c-br","mtu":9000,"type":"bridge","vlan":7}`; !strings.HasPrefix(got, want) || !strings.Contains(cluster.Annotations[utils.KeyVlanIDSetStr], "7") {
		t.Errorf("got %s", got)
	}
}
