// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package objects

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
)

var (
	kind      = schema.GroupResource{Resource: "things"}
	exists    = apierrors.NewAlreadyExists(kind, "a")
	gone      = apierrors.NewNotFound(kind, "a")
	denied    = apierrors.NewForbidden(kind, "a", errors.New("no"))
	errBroken = errors.New("connection reset by peer")
)

func thing(origin string, changes ...func(*metav1.ObjectMeta)) *metav1.ObjectMeta {
	object := &metav1.ObjectMeta{Name: "a", Annotations: map[string]string{api.AnnotationOrigin: origin}}
	for _, change := range changes {
		change(object)
	}
	return object
}

func deleting(object *metav1.ObjectMeta) {
	now := metav1.Now()
	object.DeletionTimestamp = &now
}

// answer is what one call of a step gets.
type answer struct {
	object *metav1.ObjectMeta
	err    error
}

// cluster gives the answers it was told to, in their order, and notes what it was asked. The
// last answer of a step stays.
type cluster struct {
	answers map[string][]answer
	asked   []string
}

func (c *cluster) step(name string) (*metav1.ObjectMeta, error) {
	c.asked = append(c.asked, name)
	answers := c.answers[name]
	if len(answers) == 0 {
		return nil, fmt.Errorf("%s was not expected", name)
	}
	if len(answers) > 1 {
		c.answers[name] = answers[1:]
	}
	return answers[0].object, answers[0].err
}

func (c *cluster) creation() Creation[*metav1.ObjectMeta] {
	return Creation[*metav1.ObjectMeta]{
		Title: `thing "a"`, Left: "Nothing was created.", Foreign: Foreign{Type: "harvester_thing", ID: "default/a", One: "a thing", Short: "thing"},
		Send:     func(context.Context) (*metav1.ObjectMeta, error) { return c.step("send") },
		Find:     func(context.Context) (*metav1.ObjectMeta, error) { return c.step("find") },
		Ours:     func(existing *metav1.ObjectMeta) bool { return SameOrigin(existing, thing("ours")) },
		TakeOver: func(context.Context, *metav1.ObjectMeta) (*metav1.ObjectMeta, error) { return c.step("take over") },
		AwaitGone: func(context.Context, *metav1.ObjectMeta) error {
			_, err := c.step("await")
			return err
		},
	}
}

func TestCreation(t *testing.T) {
	t.Parallel()
	described := &DescribedError{diag.Diagnostics{diag.NewErrorDiagnostic("In other words", "It is so.")}}
	ours, made := answer{object: thing("ours")}, answer{object: thing("made")}
	fails := func(err error) answer { return answer{err: err} }
	for name, test := range map[string]struct {
		answers map[string][]answer
		asks    string
		// makes is the origin of what is made; says is in the error otherwise.
		makes, says string
	}{
		"made":                        {map[string][]answer{"send": {made}}, "send", "made", ""},
		"trouble on the way":          {map[string][]answer{"send": {fails(errBroken), fails(errBroken), made}}, "send send send", "made", ""},
		"lasting trouble":             {map[string][]answer{"send": {fails(errBroken)}}, "send send send send send", "", "Whether it was created is not known"},
		"the answer got lost":         {map[string][]answer{"send": {fails(errBroken), fails(exists)}, "find": {ours}, "take over": {ours}}, "send send find take over", "ours", ""},
		"refused":                     {map[string][]answer{"send": {fails(denied)}}, "send", "", "Could not create the thing \"a\""},
		"refused, in other words":     {map[string][]answer{"send": {fails(described)}}, "send", "", "It is so."},
		"foreign":                     {map[string][]answer{"send": {fails(exists)}, "find": {answer{object: thing("theirs")}}}, "send find", "", "terraform import harvester_thing.<name> default/a"},
		"of unknown origin":           {map[string][]answer{"send": {fails(exists)}, "find": {answer{object: thing("")}}}, "send find", "", "Nothing was created or changed"},
		"on its way out":              {map[string][]answer{"send": {fails(exists), made}, "find": {answer{object: thing("theirs", deleting)}}, "await": {{}}}, "send find await send", "made", ""},
		"ours on its way out":         {map[string][]answer{"send": {fails(exists), made}, "find": {answer{object: thing("ours", deleting)}}, "await": {{}}}, "send find await send", "made", ""},
		"never gone":                  {map[string][]answer{"send": {fails(exists)}, "find": {answer{object: thing("theirs", deleting)}}, "await": {fails(context.DeadlineExceeded)}}, "send find await", "", "Nothing was created."},
		"gone meanwhile":              {map[string][]answer{"send": {fails(exists), made}, "find": {fails(gone)}}, "send find send", "made", ""},
		"gone before it is taken":     {map[string][]answer{"send": {fails(exists), made}, "find": {ours}, "take over": {fails(gone)}}, "send find take over send", "made", ""},
		"not ours to look at":         {map[string][]answer{"send": {fails(exists)}, "find": {fails(denied)}}, "send find", "", "Nothing was created."},
		"trouble with what was taken": {map[string][]answer{"send": {fails(exists)}, "find": {ours}, "take over": {fails(errBroken), ours}}, "send find take over take over", "ours", ""},
		"taking is refused":           {map[string][]answer{"send": {fails(exists)}, "find": {ours}, "take over": {fails(denied)}}, "send find take over", "", "It was left as an earlier apply made it."},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				cluster := &cluster{answers: maps.Clone(test.answers)}
				object, diags := cluster.creation().Run(t.Context())
				if asks := strings.Join(cluster.asked, " "); asks != test.asks {
					t.Errorf("it asks %s, want %s", asks, test.asks)
				}
				switch {
				case test.says != "" && (!diags.HasError() || !strings.Contains(diags[0].Detail(), test.says)):
					t.Errorf("%q is missing in %v", test.says, diags)
				case test.says == "" && (diags.HasError() || object.Annotations[api.AnnotationOrigin] != test.makes):
					t.Errorf("it makes %v, %v", object, diags)
				}
			})
		})
	}
}

func TestRemoval(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		answers    map[string][]answer
		asks, says string
	}{
		"gone already": {map[string][]answer{"find": {{err: gone}}}, "find", ""},
		"removed":      {map[string][]answer{"find": {{object: thing("")}}, "request": {{}}, "await": {{}}}, "find request await", ""},
		"unreadable":   {map[string][]answer{"find": {{err: denied}}}, "find", "It was not deleted."},
		"in use":       {map[string][]answer{"find": {{object: thing("")}}, "request": {{err: denied}}}, "find request", "It was not deleted."},
		"never gone":   {map[string][]answer{"find": {{object: thing("")}}, "request": {{}}, "await": {{err: context.DeadlineExceeded}}}, "find request await", LeftDeleting},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cluster := &cluster{answers: test.answers}
			diags := Removal[*metav1.ObjectMeta]{
				Title: `thing "a"`,
				Find:  func(context.Context) (*metav1.ObjectMeta, error) { return cluster.step("find") },
				Request: func(context.Context, *metav1.ObjectMeta) diag.Diagnostics {
					if _, err := cluster.step("request"); err != nil {
						return NotDeleted(`thing "a"`, err)
					}
					return nil
				},
				AwaitGone: func(context.Context, *metav1.ObjectMeta) error {
					_, err := cluster.step("await")
					return err
				},
			}.Run(t.Context())
			if asks := strings.Join(cluster.asked, " "); asks != test.asks {
				t.Errorf("it asks %s, want %s", asks, test.asks)
			}
			if diags.HasError() != (test.says != "") || diags.HasError() && !strings.Contains(diags[0].Detail(), test.says) {
				t.Errorf("%q is missing in %v", test.says, diags)
			}
		})
	}
}

// A run that is interrupted sends nothing more.
func TestRetryEndsWithTheRun(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	calls := 0
	_, err := Retry(ctx, func(context.Context) (int, error) {
		calls++
		cancel()
		return 0, errBroken
	})
	if !errors.Is(err, errBroken) || calls != 1 {
		t.Errorf("%d calls, %v", calls, err)
	}
}

func TestForeign(t *testing.T) {
	t.Parallel()
	got := Foreign{Type: "harvester_ssh_key", ID: "default/a", One: "an SSH key", Short: "key", Instead: ", or refer to it"}.diagnostic()
	want := "There is an SSH key \"default/a\" in the cluster already, made outside of this Terraform state. Nothing was created or changed.\n\n" +
		"To manage that key here, import it:\n  terraform import harvester_ssh_key.<name> default/a\nOtherwise choose another name, or refer to it."
	if got.Summary() != "SSH key already exists" || got.Detail() != want {
		t.Errorf("%s\n%s", got.Summary(), got.Detail())
	}
	if got := (Foreign{One: "a storage class"}).diagnostic().Summary(); got != "Storage class already exists" {
		t.Error(got)
	}
}

// A description that is gone from the configuration goes; what is not named stays.
func TestMetadata(t *testing.T) {
	t.Parallel()
	object := thing("ours", func(o *metav1.ObjectMeta) { o.Labels = map[string]string{"a": "b"} })
	want := map[string]any{"labels": map[string]string{"a": "b"}, "annotations": map[string]any{api.AnnotationDescription: nil, api.AnnotationOrigin: "ours"}}
	if got := Metadata(object); !reflect.DeepEqual(got, want) {
		t.Error(got)
	}
	object.Annotations[api.AnnotationDescription] = "text"
	if got := Metadata(object)["annotations"].(map[string]any)[api.AnnotationDescription]; got != "text" {
		t.Error(got)
	}
}

func TestUnchanged(t *testing.T) {
	t.Parallel()
	if Unchanged(denied) != "It was left as it was." || !strings.Contains(Unchanged(errBroken), "not known") {
		t.Errorf("%s / %s", Unchanged(denied), Unchanged(errBroken))
	}
}

// No origin is nobody's.
func TestSameOrigin(t *testing.T) {
	t.Parallel()
	if !SameOrigin(thing("a"), thing("a")) || SameOrigin(thing("a"), thing("b")) || SameOrigin(thing(""), thing("")) {
		t.Error("origins are mixed up")
	}
}
