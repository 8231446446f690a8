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
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
)

var (
	kind      = schema.GroupResource{Resource: "things"}
	taken     = apierrors.NewAlreadyExists(kind, "a")
	gone      = apierrors.NewNotFound(kind, "a")
	denied    = apierrors.NewForbidden(kind, "a", errors.New("no"))
	conflict  = apierrors.NewConflict(kind, "a", errors.New("changed meanwhile"))
	errBroken = errors.New("connection reset by peer")

	errDeniedAsConflict = apierrors.NewConflict(kind, "a", errors.New(`admission webhook "validator.harvesterhci.io" denied the request: no`))
)

func thing(name string, changes ...func(*metav1.ObjectMeta)) *metav1.ObjectMeta {
	object := &metav1.ObjectMeta{Name: name, UID: "1", ResourceVersion: "7"}
	for _, change := range changes {
		change(object)
	}
	return object
}

func deleting(object *metav1.ObjectMeta) {
	now := metav1.Now()
	object.DeletionTimestamp = &now
}

// epoch is when the clock of synctest begins.
var epoch = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// begun marks an object as made by somebody, who gave a sign of life that long ago.
func begun(by maker, ago time.Duration, intent string) func(*metav1.ObjectMeta) {
	return func(object *metav1.ObjectMeta) {
		mark{Creation: "theirs", Intent: intent, Maker: by, Alive: epoch.Add(-ago)}.onto(object)
	}
}

// elsewhere is a process of another machine; killed, one of this machine that is no more.
var (
	elsewhere = maker{Host: "ci-7", Machine: "other", Process: 12}
	killed    = maker{Host: "here", Machine: self().Machine, Process: self().Process, Started: "long ago"}
)

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
		Intent:   "ours",
		Send:     func(context.Context) (*metav1.ObjectMeta, error) { return c.step("send") },
		Find:     func(context.Context) (*metav1.ObjectMeta, error) { return c.step("find") },
		TakeOver: func(context.Context, *metav1.ObjectMeta) (*metav1.ObjectMeta, error) { return c.step("take-over") },
		AwaitGone: func(context.Context, *metav1.ObjectMeta) error {
			_, err := c.step("await")
			return err
		},
		Annotate: func(_ context.Context, object *metav1.ObjectMeta, metadata map[string]any) (*metav1.ObjectMeta, error) {
			annotations := metadata["annotations"].(map[string]any)
			switch {
			case annotations[api.AnnotationCreation] == nil:
				return c.step("finish")
			case metadata["resourceVersion"] == object.ResourceVersion && metadata["uid"] == object.UID:
				return c.step("claim")
			}
			return c.step("renew")
		},
	}
}

func TestCreation(t *testing.T) {
	t.Parallel()
	if self().Machine == "" {
		t.Skip("this system does not tell which processes see one another")
	}
	described := &DescribedError{diag.Diagnostics{diag.NewErrorDiagnostic("In other words", "It is so.")}}
	made, ok := answer{object: thing("made")}, answer{}
	left := answer{object: thing("left", begun(killed, time.Second, "ours"))}
	silent := answer{object: thing("silent", begun(elsewhere, 2*time.Minute, "ours"))}
	fails := func(err error) answer { return answer{err: err} }
	there := func(changes ...func(*metav1.ObjectMeta)) []answer {
		return []answer{{object: thing("there", changes...)}}
	}
	for name, test := range map[string]struct {
		answers map[string][]answer
		asks    string
		// makes is what is made; says is in the error otherwise.
		makes, says string
	}{
		"made":                    {map[string][]answer{"send": {made}, "finish": {ok}}, "send finish", "made", ""},
		"lasting trouble":         {map[string][]answer{"send": {fails(errBroken)}}, "send", "", "Whether it was created is not known"},
		"refused":                 {map[string][]answer{"send": {fails(denied)}}, "send", "", "Could not create the thing \"a\""},
		"refused, in other words": {map[string][]answer{"send": {fails(described)}}, "send", "", "It is so."},
		"the mark stays, if that fails": {
			map[string][]answer{"send": {made}, "finish": {fails(denied)}}, "send finish", "made", "",
		},

		"finished, so somebody's": {map[string][]answer{"send": {fails(taken)}, "find": there()}, "send find", "", "terraform import harvester_thing.<name> default/a"},
		"finished, with the mark of earlier versions": {
			map[string][]answer{"send": {fails(taken)}, "find": there(func(o *metav1.ObjectMeta) { o.Annotations = map[string]string{api.AnnotationOrigin: "ours"} })},
			"send find", "", "Nothing was created or changed",
		},
		"on its way out":      {map[string][]answer{"send": {fails(taken), made}, "find": there(deleting), "await": {ok}, "finish": {ok}}, "send find await send finish", "made", ""},
		"never gone":          {map[string][]answer{"send": {fails(taken)}, "find": there(deleting), "await": {fails(context.DeadlineExceeded)}}, "send find await", "", "Nothing was created."},
		"gone meanwhile":      {map[string][]answer{"send": {fails(taken), made}, "find": {fails(gone)}, "finish": {ok}}, "send find send finish", "made", ""},
		"not ours to look at": {map[string][]answer{"send": {fails(taken)}, "find": {fails(denied)}}, "send find", "", "Nothing was created."},

		"begun by a killed process": {
			map[string][]answer{"send": {fails(taken)}, "find": {left}, "claim": {left}, "take-over": {made}, "finish": {ok}},
			"send find claim take-over finish", "made", "",
		},
		"begun with other settings":         {map[string][]answer{"send": {fails(taken)}, "find": there(begun(killed, time.Second, "theirs"))}, "send find", "", "with other settings"},
		"begun by this very process":        {map[string][]answer{"send": {fails(taken)}, "find": there(begun(self(), time.Hour, "ours"))}, "send find", "", "by another resource of this very run"},
		"begun elsewhere, a moment ago":     {map[string][]answer{"send": {fails(taken)}, "find": there(begun(elsewhere, time.Second, "ours"))}, "send find", "", `the process 12 on "ci-7", last sign of life 1s ago`},
		"begun by a version to come":        {map[string][]answer{"send": {fails(taken)}, "find": there(func(o *metav1.ObjectMeta) { o.Annotations = map[string]string{api.AnnotationCreation: "?"} })}, "send find", "", "is being created"},
		"begun elsewhere, long ago":         {map[string][]answer{"send": {fails(taken)}, "find": there(begun(elsewhere, time.Hour, "ours")), "claim": {left}, "take-over": {made}, "finish": {ok}}, "send find claim take-over finish", "made", ""},
		"begun elsewhere, silent since":     {map[string][]answer{"send": {fails(taken)}, "find": {silent}, "claim": {left}, "take-over": {made}, "finish": {ok}}, "send find send find claim take-over finish", "made", ""},
		"begun elsewhere, by a wrong clock": {map[string][]answer{"send": {fails(taken)}, "find": {silent, {object: thing("there", begun(elsewhere, time.Second, "ours"))}}}, "send find send find", "", "is being created"},
		"claiming is denied as a conflict":  {map[string][]answer{"send": {fails(taken)}, "find": {left}, "claim": {fails(errDeniedAsConflict)}}, "send find claim", "", "It was left as an earlier apply made it."},
		"another run is faster to claim":    {map[string][]answer{"send": {fails(taken)}, "find": {left, {object: thing("there", begun(elsewhere, 0, "ours"))}}, "claim": {fails(conflict)}}, "send find claim send find", "", "is being created"},
		"gone before it is claimed":         {map[string][]answer{"send": {fails(taken), made}, "find": {left}, "claim": {fails(gone)}, "finish": {ok}}, "send find claim send finish", "made", ""},
		"gone before it is taken over":      {map[string][]answer{"send": {fails(taken), made}, "find": {left}, "claim": {left}, "take-over": {fails(gone)}, "finish": {ok}}, "send find claim take-over send finish", "made", ""},
		"taking over is refused":            {map[string][]answer{"send": {fails(taken)}, "find": {left}, "claim": {left}, "take-over": {fails(denied)}}, "send find claim take-over", "", "It was left as an earlier apply made it."},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				cluster := &cluster{answers: maps.Clone(test.answers)}
				object, finish, diags := cluster.creation().Run(t.Context())
				finish()
				finish()
				if asks := strings.Join(cluster.asked, " "); asks != test.asks {
					t.Errorf("it asks %s, want %s", asks, test.asks)
				}
				switch {
				case test.says != "" && (!diags.HasError() || !strings.Contains(diags[0].Detail(), test.says)):
					t.Errorf("%q is missing in %v", test.says, diags)
				case test.says == "" && (diags.HasError() || object.Name != test.makes):
					t.Errorf("it makes %v, %v", object, diags)
				}
			})
		})
	}
}

// A creation gives signs of life until it is finished.
func TestCreationGivesSignsOfLife(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cluster := &cluster{answers: map[string][]answer{"send": {{object: thing("made")}}, "renew": {{}}, "finish": {{}}}}
		_, finish, diags := cluster.creation().Run(t.Context())
		if diags.HasError() {
			t.Fatal(diags)
		}
		time.Sleep(2*renewal + time.Second)
		finish()
		time.Sleep(2 * renewal)
		if asks := strings.Join(cluster.asked, " "); asks != "send renew renew finish" {
			t.Errorf("it asks %s", asks)
		}
	})
}

// A request whose first answer got lost is sent again, and finds the very object that was made.
func TestCreationKnowsItsOwn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var sent *metav1.ObjectMeta
		cluster := &cluster{answers: map[string][]answer{"finish": {{}}}}
		creation := cluster.creation()
		wanted := thing("wanted")
		creation.Wanted = []metav1.Object{wanted}
		creation.Send = func(context.Context) (*metav1.ObjectMeta, error) {
			sent = wanted.DeepCopy()
			return nil, taken
		}
		creation.Find = func(context.Context) (*metav1.ObjectMeta, error) { return sent, nil }
		made, finish, diags := creation.Run(t.Context())
		finish()
		if diags.HasError() || made != sent {
			t.Errorf("it makes %v, %v", made, diags)
		}
	})
}

// Two creations of one name at the same time: one makes the object, the other is refused.
func TestCreationsOfOneName(t *testing.T) {
	t.Parallel()
	var made *metav1.ObjectMeta
	creation := func() Creation[*metav1.ObjectMeta] {
		c, wanted := (&cluster{answers: map[string][]answer{"finish": {{}}}}).creation(), thing("a")
		c.Wanted = []metav1.Object{wanted}
		c.Send = func(context.Context) (*metav1.ObjectMeta, error) {
			if made != nil {
				return nil, taken
			}
			made = wanted
			return made, nil
		}
		c.Find = func(context.Context) (*metav1.ObjectMeta, error) { return made, nil }
		return c
	}
	_, finish, diags := creation().Run(t.Context())
	defer finish()
	if diags.HasError() {
		t.Fatal(diags)
	}
	_, _, diags = creation().Run(t.Context())
	if !diags.HasError() || diags[0].Summary() != "Thing is being created" {
		t.Errorf("the second one is told %v", diags)
	}
}

// What is finished by then, but could not say so, is settled later.
func TestSettle(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		object *metav1.ObjectMeta
		want   map[string]any
	}{
		"finished":   {thing("a"), nil},
		"unfinished": {thing("a", begun(killed, time.Hour, "ours")), map[string]any{"uid": types.UID("1"), "annotations": map[string]any{api.AnnotationCreation: nil}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got map[string]any
			Settle(t.Context(), test.object, func(_ context.Context, object *metav1.ObjectMeta, metadata map[string]any) (*metav1.ObjectMeta, error) {
				got = metadata
				return object, nil
			})
			if !reflect.DeepEqual(got, test.want) {
				t.Errorf("%v, want %v", got, test.want)
			}
		})
	}
}

func TestRunning(t *testing.T) {
	t.Parallel()
	if !running(self()) {
		t.Error("this process does not run")
	}
	if self().Started != "" && running(killed) {
		t.Error("a process that began at another time runs")
	}
	if self().Machine != "" && running(maker{Process: 1 << 30}) {
		t.Error("a process without a number runs")
	}
}

func TestRemoval(t *testing.T) {
	t.Parallel()
	there := []answer{{object: thing("a")}}
	for name, test := range map[string]struct {
		answers map[string][]answer
		// uid is the one that the state knows.
		uid        types.UID
		asks, says string
	}{
		"gone already":           {map[string][]answer{"find": {{err: gone}}}, "1", "find", ""},
		"removed":                {map[string][]answer{"find": there, "request": {{}}, "await": {{}}}, "1", "find request await", ""},
		"of a state without UID": {map[string][]answer{"find": there, "request": {{}}, "await": {{}}}, "", "find request await", ""},
		"made for ours":          {map[string][]answer{"find": {{object: thing("a", ownedBy("2"))}}, "request": {{}}, "await": {{}}}, "2", "find request await", ""},
		"made anew by others":    {map[string][]answer{"find": there}, "2", "find", "which was left as it is"},
		"trouble, and then gone": {map[string][]answer{"find": {{err: errBroken}, {err: gone}}}, "1", "find find", ""},
		"unreadable":             {map[string][]answer{"find": {{err: denied}}}, "1", "find", "It was not deleted."},
		"in use":                 {map[string][]answer{"find": there, "request": {{err: denied}}}, "1", "find request", "It was not deleted."},
		"never gone":             {map[string][]answer{"find": there, "request": {{}}, "await": {{err: context.DeadlineExceeded}}}, "1", "find request await", LeftDeleting},
		"never gone, for a reason": {
			map[string][]answer{"find": there, "request": {{}}, "await": {{err: &DescribedError{diag.Diagnostics{diag.NewErrorDiagnostic("Held", "It is so.")}}}}},
			"1", "find request await", "It is so.",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				cluster := &cluster{answers: test.answers}
				diags := Removal[*metav1.ObjectMeta]{
					Identity: Identity{Title: `thing "a"`, Name: "a", UID: test.uid},
					Find:     func(context.Context) (*metav1.ObjectMeta, error) { return cluster.step("find") },
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
				if (len(diags) > 0) != (test.says != "") || len(diags) > 0 && !strings.Contains(diags[0].Detail(), test.says) {
					t.Errorf("%q is missing in %v", test.says, diags)
				}
			})
		})
	}
}

func ownedBy(uid types.UID) func(*metav1.ObjectMeta) {
	return func(object *metav1.ObjectMeta) {
		controls := true
		object.OwnerReferences = []metav1.OwnerReference{{UID: uid, Controller: &controls}}
	}
}

// A change is refused by the server if the object is another one by then.
func TestWith(t *testing.T) {
	t.Parallel()
	patch := map[string]any{"spec": 1, "metadata": map[string]any{"labels": 2}}
	want := map[string]any{"spec": 1, "metadata": map[string]any{"labels": 2, "uid": types.UID("1")}}
	if got := With(patch, "1"); !reflect.DeepEqual(got, want) {
		t.Error(got)
	}
	if got := With(patch, ""); !reflect.DeepEqual(got, patch) {
		t.Error(got)
	}
	if !reflect.DeepEqual(patch, map[string]any{"spec": 1, "metadata": map[string]any{"labels": 2}}) {
		t.Error("the patch itself was changed")
	}
}

func TestForeign(t *testing.T) {
	t.Parallel()
	foreign := Foreign{Type: "harvester_ssh_key", ID: "default/a", One: "an SSH key", Short: "key", Instead: ", or refer to it"}
	want := "There is an SSH key \"default/a\" in the cluster already, made outside of this Terraform state. Nothing was created or changed.\n\n" +
		"To manage that key here, import it:\n  terraform import harvester_ssh_key.<name> default/a\nOtherwise choose another name, or refer to it."
	if got := foreign.exists(thing("a")); got.Summary() != "SSH key already exists" || got.Detail() != want {
		t.Errorf("%s\n%s", got.Summary(), got.Detail())
	}
	ours := thing("a", func(o *metav1.ObjectMeta) {
		o.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: kube.FieldManager}}
	})
	if got := foreign.exists(ours).Detail(); !strings.HasPrefix(got, want) || !strings.Contains(got, "create_before_destroy") || !strings.Contains(got, "moved block") {
		t.Error(got)
	}
	if got := (Foreign{One: "a storage class"}).exists(thing("a")).Summary(); got != "Storage class already exists" {
		t.Error(got)
	}
}

// A description that is gone from the configuration goes; what is not named stays.
func TestMetadata(t *testing.T) {
	t.Parallel()
	object := thing("a", func(o *metav1.ObjectMeta) {
		o.Labels, o.Annotations = map[string]string{"a": "b"}, map[string]string{"c": "d"}
	})
	want := map[string]any{"uid": types.UID("1"), "labels": map[string]string{"a": "b"}, "annotations": map[string]any{api.AnnotationDescription: nil, "c": "d"}}
	if got := Metadata(object, "1"); !reflect.DeepEqual(got, want) {
		t.Error(got)
	}
	object.Annotations[api.AnnotationDescription] = "text"
	if got := Metadata(object, "1")["annotations"].(map[string]any)[api.AnnotationDescription]; got != "text" {
		t.Error(got)
	}
}

func TestUnchanged(t *testing.T) {
	t.Parallel()
	if Unchanged(denied) != "It was left as it was." || !strings.Contains(Unchanged(errBroken), "not known") {
		t.Errorf("%s / %s", Unchanged(denied), Unchanged(errBroken))
	}
}
