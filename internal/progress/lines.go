// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package progress

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/tools/cache"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/imagestate"
	"github.com/harvester-community/terraform-provider-harvester/internal/redact"
	"github.com/harvester-community/terraform-provider-harvester/internal/units"
)

// step is after how many percent the next line is due.
const step = 10

// lines writes a line whenever an image has got on, for logs and pipes.
type lines struct {
	out io.Writer

	mu   sync.Mutex
	last map[string]string
}

func newLines(out io.Writer) *lines { return &lines{out: out, last: map[string]string{}} }

func (l *lines) show(object any) {
	image, size, ok := read(object)
	if !ok {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	before, known := l.last[image.UID]
	over := image.Ready() || image.Terminal
	if over && !known {
		return
	}
	if now := fmt.Sprint(image.State, image.Progress/step, image.Message); now != before {
		l.last[image.UID] = now
		_, _ = fmt.Fprintln(l.out, line(image, size))
	}
	if over {
		delete(l.last, image.UID)
	}
}

func (l *lines) drop(object any) {
	if gone, ok := object.(cache.DeletedFinalStateUnknown); ok {
		object = gone.Obj
	}
	image, _, ok := read(object)
	if !ok {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, known := l.last[image.UID]; known {
		delete(l.last, image.UID)
		_, _ = fmt.Fprintf(l.out, "%s deleted\n", redact.Line(image.ID()))
	}
}

// line tells how an image does, such as "default/bookworm Uploading 45 % of 302.0 MiB".
func line(image imagestate.Image, size int64) string {
	text := fmt.Sprintf("%s %s", redact.Line(image.ID()), image.State)
	if !image.Ready() {
		text += fmt.Sprintf(" %d %%", image.Progress)
	}
	if size > 0 {
		text += " of " + units.Bytes(size)
	}
	if image.Message != "" {
		text += ": " + redact.Line(image.Message)
	}
	return strings.TrimSpace(text)
}

// once writes a line for each image that is being imported now.
func once(ctx context.Context, client dynamic.Interface, namespace string, out io.Writer) error {
	images, err := client.Resource(api.Images).Namespace(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	var texts []string
	for i := range images.Items {
		if image, size, ok := read(&images.Items[i]); ok && !image.Ready() && !image.Terminal {
			texts = append(texts, line(image, size))
		}
	}
	if len(texts) == 0 {
		texts = []string{"No image is being imported."}
	}
	slices.Sort(texts)
	_, err = fmt.Fprintln(out, strings.Join(texts, "\n"))
	return err
}
