// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package objects

import (
	"encoding/json"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
)

// mark says that the creation of an object is under way: whose it is, what it makes, and when it
// last gave a sign of life. It is an annotation of the object until the object is in a Terraform
// state. So what carries none is finished and belongs to somebody, however it looks.
type mark struct {
	// Creation tells this creation from every other, those of the same process included.
	Creation string `json:"creation"`
	// Intent is the fingerprint of what cannot be changed in the object later.
	Intent string `json:"intent,omitempty"`
	// Maker is the process that creates.
	Maker maker `json:"maker"`
	// Alive is the last sign of life, by the maker's clock.
	Alive time.Time `json:"alive"`
}

// A mark is renewed while the creation goes on, so one that was not renewed for a while has lost
// its maker.
const (
	renewal = 15 * time.Second
	// stale is how old the last sign of life of a maker elsewhere is at least when it counts as gone.
	stale = time.Minute
	// certain is from when on no clock is that wrong, so that nobody needs to watch for another sign.
	certain = 10 * time.Minute
)

// text is the mark as the annotation holds it.
func (m mark) text() string {
	text, _ := json.Marshal(m) // plain fields always encode
	return string(text)
}

// marked returns an object's mark; false if its creation is not under way. A mark that cannot be
// read is that of a newer version, whose maker is not known to be gone.
func marked(object metav1.Object) (mark, bool) {
	text, found := object.GetAnnotations()[api.AnnotationCreation]
	if !found {
		return mark{}, false
	}
	var m mark
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		return mark{Alive: time.Now()}, true
	}
	return m, true
}

// Unfinished says that the creation of an object is under way, or was interrupted.
func Unfinished(object metav1.Object) bool {
	_, unfinished := marked(object)
	return unfinished
}

// Abandoned says that the creation of an object was interrupted, as far as that can be told at once.
func Abandoned(object metav1.Object) bool {
	m, unfinished := marked(object)
	return unfinished && m.life(time.Now(), self(), running) != lives
}

// onto writes the mark to an object that is to be sent.
func (m mark) onto(object metav1.Object) {
	annotations := object.GetAnnotations()
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[api.AnnotationCreation] = m.text()
	object.SetAnnotations(annotations)
}

// life is what is known of the maker of an object.
type life int

const (
	lives life = iota
	// silent: there was no sign of life for a while. It may be that its clock is wrong.
	silent
	dead
)

// life tells whether the maker of an object still makes it. One on this machine is asked for
// directly, one elsewhere is known by its signs of life alone.
func (m mark) life(now time.Time, self maker, running func(maker) bool) life {
	if m.Maker.Machine != "" && m.Maker.Machine == self.Machine {
		if running(m.Maker) {
			return lives
		}
		return dead
	}
	switch age := now.Sub(m.Alive); {
	case age >= certain:
		return dead
	case age >= stale:
		return silent
	}
	return lives
}

// describe says who makes the object.
func (m mark) describe(now time.Time, self maker) string {
	where := fmt.Sprintf("the process %d on %q", m.Maker.Process, m.Maker.Host)
	if m.Maker.Machine == self.Machine && m.Maker.Process == self.Process && m.Maker.Started == self.Started {
		return "another resource of this very run"
	}
	return fmt.Sprintf("another run (%s, last sign of life %s ago)", where, max(0, now.Sub(m.Alive)).Round(time.Second))
}
