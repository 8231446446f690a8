// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package netstate

import (
	"errors"
	"testing"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
)

func status(node, ready, message string) api.VlanStatus {
	s := api.VlanStatus{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{api.LabelVlanConfig: "v", api.LabelClusterNetwork: "c"}}}
	s.Status.Node = node
	if ready != "" {
		s.Status.Conditions = []api.Condition{{Type: "other", Status: "True"}, {Type: api.ConditionNetworkReady, Status: ready, Message: message}}
	}
	return s
}

func TestTrouble(t *testing.T) {
	t.Parallel()
	for want, statuses := range map[string][]api.VlanStatus{
		"":                                {status("n0", "True", "")},
		"n0: no card":                     {status("n0", "False", "no card."), status("n1", "True", "")},
		"n0: no card; n1: not set up yet": {status("n0", "False", "no card"), status("n1", "", "")},
	} {
		if got := Trouble(statuses); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestOf(t *testing.T) {
	t.Parallel()
	leaving := status("n1", "True", "")
	leaving.DeletionTimestamp = &metav1.Time{Time: time.Now()}
	all := []api.VlanStatus{status("n0", "True", ""), leaving}
	if got := Of(all, api.LabelVlanConfig, "v"); len(got) != 1 || got[0].Status.Node != "n0" {
		t.Errorf("got %v", got)
	}
	if got := Of(all, api.LabelClusterNetwork, "v"); len(got) != 0 {
		t.Errorf("got %v", got)
	}
}

func TestPatiently(t *testing.T) {
	t.Parallel()
	passing, other := errors.New("passing"), errors.New("other")
	for name, test := range map[string]struct {
		answers []error
		limit   time.Duration
		want    error
		tries   int
	}{
		"at once":     {[]error{nil}, time.Minute, nil, 1},
		"after a try": {[]error{passing, nil}, time.Minute, nil, 2},
		"other":       {[]error{other, nil}, time.Minute, other, 1},
		"too long":    {[]error{passing, nil}, 0, passing, 1},
	} {
		tries := 0
		_, err := Patiently(t.Context(), test.limit, func(err error) bool { return errors.Is(err, passing) }, func() (int, error) {
			tries++
			return 0, test.answers[tries-1]
		})
		if !errors.Is(err, test.want) || tries != test.tries {
			t.Errorf("%s: got %v after %d", name, err, tries)
		}
	}
}

func TestUnnoticed(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		`admission webhook "x" denied the request: Internal error occurred: can't create vlanconfig a because it refers to a none-existing cluster network c or error clusternetworks "c" not found`: true,
		`admission webhook "x" denied the request: it overlaps`: false,
		`failed calling webhook: not found`:                     false,
	} {
		if got := Unnoticed(errors.New(text)); got != want {
			t.Errorf("%s: got %v", text, got)
		}
	}
}

func TestInUse(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		`admission webhook "x" denied the request: can't delete nad default/a because it's still used by VM(s) default/b which must remove the related networks`: true,
		`admission webhook "x" denied the request: nads(s) default/a under this clusternetwork are still existing`:                                               true,
		`admission webhook "x" denied the request: it is blocked by VM(s) default/b which must be stopped at first`:                                              true,
		`admission webhook "x" denied the request: not today`:                                                                                                    false,
		`failed calling webhook: still existing`:                                                                                                                 false,
	} {
		if got := InUse(errors.New(text)); got != want {
			t.Errorf("%s: got %v", text, got)
		}
	}
}

func TestMTU(t *testing.T) {
	t.Parallel()
	for value, fine := range map[int64]bool{0: true, 575: false, 576: true, 9000: true, 9001: false, -1: false} {
		var resp validator.Int64Response
		MTU().ValidateInt64(t.Context(), validator.Int64Request{ConfigValue: types.Int64Value(value)}, &resp)
		if resp.Diagnostics.HasError() == fine {
			t.Errorf("%d: %v", value, resp.Diagnostics)
		}
	}
	if EffectiveMTU(0) != 1500 || EffectiveMTU(9000) != 9000 {
		t.Error("the default is another")
	}
}
