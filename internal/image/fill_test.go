// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package image

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/types"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/imagestate"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
	"github.com/harvester-community/terraform-provider-harvester/internal/objects"
	"github.com/harvester-community/terraform-provider-harvester/internal/session"
	"github.com/harvester-community/terraform-provider-harvester/internal/transfer"
	"github.com/harvester-community/terraform-provider-harvester/internal/wait"
)

// Every outcome of an attempt, with each backend, as the first attempt and as the last.
func TestNext(t *testing.T) {
	t.Parallel()
	cells := 0
	for came, row := range map[outcome]map[string][2]step{
		arrived: {api.BackendBackingImage: {await, await}, api.BackendCDI: {await, await}},
		lost:    {api.BackendBackingImage: {settle, giveUp}, api.BackendCDI: {follow, follow}},
		broken:  {api.BackendBackingImage: {repeat, giveUp}, api.BackendCDI: {giveUp, giveUp}},
		refused: {api.BackendBackingImage: {giveUp, giveUp}, api.BackendCDI: {giveUp, giveUp}},
	} {
		row[""] = row[api.BackendBackingImage] // before Harvester 1.5
		for backend, want := range row {
			cells++
			if got := [2]step{came.after(backend, false), came.after(backend, true)}; got != want {
				t.Errorf("outcome %d with backend %q: got steps %v, want %v", came, backend, got, want)
			}
		}
	}
	if cells != 3*len(next) {
		t.Errorf("%d cells were tried of %d", cells, 3*len(next))
	}
}

func TestJudge(t *testing.T) {
	t.Parallel()
	interrupted, cancel := context.WithCancel(t.Context())
	cancel()
	answer := func(code int, body string) error { return &transfer.StatusError{Code: code, Body: body} }
	reset := errors.New("connection reset by peer")
	for name, test := range map[string]struct {
		ctx           context.Context //nolint:containedctx // the subject of the test
		wrong         error
		halfway, full outcome // if it came after half the data, or after all of it
	}{
		"accepted":            {t.Context(), nil, arrived, arrived},
		"reset":               {t.Context(), reset, broken, lost},
		"500":                 {t.Context(), answer(500, "upload failed"), broken, lost},
		"502":                 {t.Context(), answer(502, ""), broken, lost},
		"503":                 {t.Context(), answer(503, ""), broken, lost},
		"504":                 {t.Context(), answer(504, ""), broken, lost},
		"408":                 {t.Context(), answer(408, ""), broken, broken},
		"429":                 {t.Context(), answer(429, ""), broken, broken},
		"already exists":      {t.Context(), answer(400, "file x already exists"), broken, broken},
		"401":                 {t.Context(), answer(401, ""), broken, broken},
		"403":                 {t.Context(), answer(403, ""), refused, refused},
		"413":                 {t.Context(), answer(413, ""), refused, refused},
		"a webhook's 500":     {t.Context(), answer(500, `admission webhook "a" denied the request: no`), refused, refused},
		"stalled":             {t.Context(), &wait.TimeoutError{Stalled: time.Minute}, broken, refused},
		"file changed":        {t.Context(), &transfer.FileError{Reason: "was modified"}, refused, refused},
		"import failed":       {t.Context(), &failure{}, refused, refused},
		"deleted":             {t.Context(), errGone, refused, refused},
		"reset, interrupted":  {interrupted, reset, refused, refused},
		"nothing, in the end": {interrupted, nil, arrived, arrived},
	} {
		if got := [2]outcome{judge(test.ctx, test.wrong, false, 1), judge(test.ctx, test.wrong, true, 1)}; got != [2]outcome{test.halfway, test.full} {
			t.Errorf("%s: got %v, want %v", name, got, [2]outcome{test.halfway, test.full})
		}
	}
}

// How long an image may look the same depends on how much of its data nothing is reported.
func TestPatience(t *testing.T) {
	t.Parallel()
	const stall, gib = 5 * time.Minute, int64(1 << 30)
	importing := func(state imagestate.State, progress int64) imagestate.Image {
		return imagestate.Image{State: state, Progress: progress, Backend: api.BackendBackingImage}
	}
	cdi := func(state imagestate.State, progress int64) imagestate.Image {
		return imagestate.Image{State: state, Progress: progress, Backend: api.BackendCDI}
	}
	for name, test := range map[string]struct {
		image imagestate.Image
		size  int64
		want  time.Duration
	}{
		"not begun":                     {importing(imagestate.Initializing, 0), gib, stall},
		"failed, will be tried again":   {importing(imagestate.Failed, 99), gib, stall},
		"small, arriving":               {importing(imagestate.Uploading, 40), 1 << 20, stall},
		"large, arriving":               {importing(imagestate.Uploading, 40), 100 * gib, stall + 1024*time.Second},
		"large, nothing there yet":      {importing(imagestate.Uploading, 0), 100 * gib, stall + 1024*time.Second},
		"small, verified":               {importing(imagestate.Uploading, 99), 1 << 20, stall + time.Second},
		"large, verified":               {importing(imagestate.Uploading, 99), 100 * gib, stall + 102400*time.Second},
		"before a retry of Harvester":   {importing(imagestate.Downloading, 100), gib, stall + 1024*time.Second},
		"download":                      {importing(imagestate.Downloading, 0), gib, stall + 10*time.Second},
		"download of unknown length":    {importing(imagestate.Downloading, 0), 0, wait.Unlimited},
		"export":                        {importing(imagestate.Exporting, 7), 0, wait.Unlimited},
		"clone":                         {importing(imagestate.Cloning, 99), 0, wait.Unlimited},
		"restore":                       {importing(imagestate.Restoring, 0), 0, wait.Unlimited},
		"cdi converts an upload":        {cdi(imagestate.Uploading, 0), gib, stall + 1024*time.Second},
		"cdi does not know the length":  {cdi(imagestate.Downloading, 0), gib, stall + 1024*time.Second},
		"cdi downloads":                 {cdi(imagestate.Downloading, 3), gib, stall + 10*time.Second},
		"larger than anything one has":  {importing(imagestate.Uploading, 99), 1 << 50, stall + (1<<30)*time.Second},
		"nothing to wait for any more":  {importing(imagestate.Active, 100), gib, stall},
		"on its way out, which is seen": {importing(imagestate.Terminating, 0), gib, stall},
	} {
		if got := patience(stall)(test.image, test.size); got != test.want {
			t.Errorf("%s: got %s, want %s", name, got, test.want)
		}
	}
}

func TestSizeOfWhatIsImported(t *testing.T) {
	t.Parallel()
	noted := metav1.ObjectMeta{Annotations: map[string]string{api.AnnotationSize: "10"}}
	for name, test := range map[string]struct {
		offered *transfer.Content
		image   api.VirtualMachineImage
		want    int64
	}{
		"what is sent":             {&transfer.Content{Size: 5}, api.VirtualMachineImage{ObjectMeta: noted}, 5},
		"what an earlier run sent": {nil, api.VirtualMachineImage{ObjectMeta: noted}, 10},
		"what Harvester was told":  {nil, api.VirtualMachineImage{Status: api.VirtualMachineImageStatus{Size: 7}}, 7},
		"not known":                {nil, api.VirtualMachineImage{}, 0},
	} {
		if got := (&filler{offered: test.offered}).size(&test.image); got != test.want {
			t.Errorf("%s: got %d, want %d", name, got, test.want)
		}
	}
}

// oneImage is a cluster with one image, which takes uploads of it.
type oneImage struct {
	*testing.T

	mu      sync.Mutex
	image   api.VirtualMachineImage
	version int
	changed chan struct{} // closed at the next change
	uploads int
	// silent says that it answers nothing.
	silent bool
	// checksum is that of the data in Longhorn, once it has all of it.
	checksum string
	// stored is the state of the data in Longhorn, if it tells.
	stored string
	// answer ends the upload of that number, when its data has been read.
	answer func(w http.ResponseWriter, upload int)
}

func newOneImage(t *testing.T) *oneImage {
	t.Helper()
	c := &oneImage{T: t, changed: make(chan struct{}), version: 1}
	c.image = api.VirtualMachineImage{
		TypeMeta:   metav1.TypeMeta{APIVersion: "harvesterhci.io/v1beta1", Kind: api.KindImage},
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "a", UID: "1", ResourceVersion: "1"},
		Spec:       api.VirtualMachineImageSpec{SourceType: api.SourceUpload},
		Status: api.VirtualMachineImageStatus{Conditions: []api.Condition{
			{Type: api.ImageInitialized, Status: "True"}, {Type: api.ImageImported, Status: "Unknown"},
		}},
	}
	return c
}

// set changes the image's status.
func (c *oneImage) set(change func(*api.VirtualMachineImageStatus)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.version++
	c.image.ResourceVersion = fmt.Sprint(c.version)
	c.image.Status.Conditions = append([]api.Condition{}, c.image.Status.Conditions...)
	change(&c.image.Status)
	close(c.changed)
	c.changed = make(chan struct{})
}

func ready(status *api.VirtualMachineImageStatus) {
	status.Progress, status.Conditions[1].Status = 100, "True"
}

// cleared is what Harvester does when it has not seen yet what it made itself.
func cleared(status *api.VirtualMachineImageStatus) {
	status.Failed++
	status.Progress = 0
	status.Conditions = append(status.Conditions, api.Condition{Type: api.ImageRetryLimitExceeded, Status: "False", Message: "backing image vmi-1 is being deleted"})
}

func (c *oneImage) now() (image api.VirtualMachineImage, changed <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.image, c.changed
}

func (c *oneImage) sent() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.uploads
}

func (c *oneImage) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if c.silent {
		<-r.Context().Done()
		return
	}
	w.Header().Set("Content-Type", "application/json")
	image, changed := c.now()
	switch {
	case r.Method == http.MethodPost:
		_, _ = io.Copy(io.Discard, r.Body)
		c.mu.Lock()
		c.uploads++
		upload := c.uploads
		c.mu.Unlock()
		c.answer(w, upload)
	case r.URL.Query().Get("watch") != "":
		for r.Context().Err() == nil {
			_ = json.NewEncoder(w).Encode(map[string]any{"type": "MODIFIED", "object": image})
			_ = http.NewResponseController(w).Flush()
			select {
			case <-changed:
				image, changed = c.now()
			case <-r.Context().Done():
			}
		}
	case strings.HasSuffix(r.URL.Path, "/virtualmachineimages"):
		items := []api.VirtualMachineImage{image}
		if image.Name == "" {
			items = nil
		}
		_ = json.NewEncoder(w).Encode(map[string]any{
			"apiVersion": "harvesterhci.io/v1beta1", "kind": "VirtualMachineImageList", "metadata": map[string]any{"resourceVersion": "1"}, "items": items,
		})
	case strings.Contains(r.URL.Path, "/backingimages/"):
		_ = json.NewEncoder(w).Encode(map[string]any{
			"apiVersion": "longhorn.io/v1beta2", "kind": "BackingImage", "metadata": map[string]any{"namespace": api.NamespaceLonghorn, "name": "vmi-1"}, "status": map[string]any{"checksum": c.checksum, "diskFileStatusMap": map[string]any{"disk": map[string]any{"state": c.stored}}},
		})
	default:
		_ = json.NewEncoder(w).Encode(image)
	}
}

// replace puts a new image in the place of this one, as a renewal does.
func (c *oneImage) replace(context.Context, *api.VirtualMachineImage) (*api.VirtualMachineImage, error) {
	c.set(func(status *api.VirtualMachineImageStatus) {
		c.image.UID += "1"
		*status = api.VirtualMachineImageStatus{Conditions: []api.Condition{
			{Type: api.ImageInitialized, Status: "True"}, {Type: api.ImageImported, Status: "Unknown"},
		}}
	})
	image, _ := c.now()
	return &image, nil
}

// filler fills the image, with one place among the uploads, which it holds.
func (c *oneImage) filler(backend string, stall time.Duration) *filler {
	c.Helper()
	server := httptest.NewTLSServer(c)
	c.Cleanup(server.Close)
	client, err := kube.Connect(kube.Connection{Host: server.URL, Token: "t", Insecure: true}, "test")
	if err != nil {
		c.Fatal(err)
	}
	path := filepath.Join(c.TempDir(), "disk.raw")
	if err := os.WriteFile(path, make([]byte, 4<<20), 0o600); err != nil {
		c.Fatal(err)
	}
	file, err := transfer.Inspect(path)
	if err != nil {
		c.Fatal(err)
	}
	s := session.New(client, session.ChecksError, 1)
	f := &filler{
		session: s, images: kube.For[api.VirtualMachineImage](client, api.Images, api.KindImage), backend: backend, stall: stall,
		backingImages: kube.For[api.BackingImage](client, api.BackingImages, "BackingImage"), lastWord: 500 * time.Millisecond,
		target: wait.Target{Resource: api.Images, Namespace: "default", Name: "a", UID: "1"}, place: &place{slots: s.Uploads},
	}
	c.image.Spec.Backend = backend
	f.provide(&transfer.Content{File: file, Size: file.Size})
	if err := f.place.take(c.Context()); err != nil {
		c.Fatal(err)
	}
	return f
}

// The place is given back as soon as the data has left, and a second sending waits for its turn like the first.
func TestSecondSendingWaitsForAPlace(t *testing.T) {
	t.Parallel()
	c := newOneImage(t)
	c.answer = func(_ http.ResponseWriter, upload int) {
		switch upload {
		case 1:
			c.set(func(status *api.VirtualMachineImageStatus) { status.Progress = 99 })
		default:
			c.set(ready)
		}
	}
	f := c.filler("", time.Minute)
	ended := make(chan error, 1)
	go func() {
		_, err := f.fill(t.Context())
		ended <- err
	}()
	others, err := f.session.Uploads.Take(t.Context()) // while the data is verified
	if err != nil {
		t.Fatal(err)
	}
	c.set(cleared)
	select {
	case err := <-ended:
		t.Fatalf("it ended while others were sending: %v", err)
	case <-time.After(time.Second):
	}
	if sent := c.sent(); sent != 1 {
		t.Errorf("the data was sent %d times while others had the only place", sent)
	}
	others()
	if err := <-ended; err != nil || c.sent() != 2 {
		t.Errorf("after %d uploads: %v", c.sent(), err)
	}
}

// While the connection is open after the last byte, the image's own clock counts.
func TestClockAfterTheLastByte(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		progress int64
		want     string // of the error; "" if it is waited for
	}{
		"verifying, which has 4 s more for 4 MiB": {99, ""},
		"standing still at 40 %":                  {40, "nothing changed for 1s; last seen: Uploading, 40 %"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newOneImage(t)
			held := make(chan struct{})
			f := c.filler("", time.Second)
			defer close(held) // before the server is closed
			c.answer = func(http.ResponseWriter, int) {
				c.set(func(status *api.VirtualMachineImageStatus) { status.Progress = test.progress })
				time.AfterFunc(3*time.Second, func() { c.set(ready) })
				<-held
			}
			_, err := f.fill(t.Context())
			switch {
			case test.want == "" && err != nil:
				t.Errorf("it gave up: %v", err)
			case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want) || c.sent() != 1):
				t.Errorf("got %v after %d uploads, want %q", err, c.sent(), test.want)
			}
		})
	}
}

// CDI goes on without a connection that was lost at the end; before that, it can do nothing with what it has.
func TestLostUploadToCDI(t *testing.T) {
	t.Parallel()
	c := newOneImage(t)
	c.answer = func(w http.ResponseWriter, _ int) {
		c.set(func(status *api.VirtualMachineImageStatus) { status.Size = 1 << 20 })
		w.WriteHeader(http.StatusGatewayTimeout)
		time.AfterFunc(2500*time.Millisecond, func() { c.set(ready) })
	}
	f := c.filler(api.BackendCDI, time.Second)
	if _, err := f.fill(t.Context()); err != nil || c.sent() != 1 {
		t.Errorf("after %d uploads: %v", c.sent(), err)
	}
}

// The time can be up before the image was seen at all.
func TestClusterThatDoesNotAnswer(t *testing.T) {
	t.Parallel()
	c := newOneImage(t)
	c.silent = true
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := c.filler("", time.Minute).fill(ctx); err == nil {
		t.Error("it ended well")
	}
}

// exceeded is what Harvester does after the last failure that it lets pass.
func exceeded(message string) func(*api.VirtualMachineImageStatus) {
	return func(status *api.VirtualMachineImageStatus) {
		status.Conditions[1].Status = "False"
		status.Conditions = append(status.Conditions, api.Condition{Type: api.ImageRetryLimitExceeded, Status: "True", Message: message})
	}
}

// uploadFailed is what Harvester writes of an upload whose connection broke, whatever the image was before.
func uploadFailed(status *api.VirtualMachineImageStatus) {
	status.Conditions[1] = api.Condition{Type: api.ImageImported, Status: "False", Reason: "UploadFailed", Message: "context canceled"}
}

// An image that Harvester gives up over broken connections is made anew, as long as data is sent again at all.
func TestImageGivenUpIsMadeAnew(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		fails   func(*api.VirtualMachineImageStatus) // the first upload
		keeps   bool                                 // the image, because a state has it
		want    string
		uploads int
		uid     string
	}{
		"a connection broke":       {exceeded("unexpected EOF"), false, "", 2, "11"},
		"it is in a state":         {exceeded("unexpected EOF"), true, "unexpected EOF", 1, "1"},
		"the data was refused":     {exceeded("checksum mismatch"), false, "checksum mismatch", 1, "1"},
		"broken, but it has all":   {uploadFailed, false, "", 2, "11"},
		"the same, it is in state": {uploadFailed, true, "does not take back", 1, "1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newOneImage(t)
			c.checksum = "all there"
			c.answer = func(w http.ResponseWriter, upload int) {
				if upload > 1 {
					c.set(ready)
					return
				}
				c.set(test.fails)
				w.WriteHeader(http.StatusBadGateway)
			}
			f := c.filler("", time.Minute)
			if !test.keeps {
				f.renew = c.replace
			}
			image, err := f.fill(t.Context())
			if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) || c.sent() != test.uploads || string(image.UID) != test.uid {
				t.Errorf("after %d uploads image %s: %v; want %d, %s, %q", c.sent(), image.UID, err, test.uploads, test.uid, test.want)
			}
		})
	}
}

// An upload that broke before Longhorn had any of it stays broken to Harvester as long as Longhorn waits for the first byte.
func TestUploadThatNeverBeganIsSentAgain(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		backend, stored, initialized string
		uploads                      int
	}{
		"Longhorn waits for it":      {"", "pending", "True", 2},
		"it is being stored":         {"", "in-progress", "True", 1},
		"Longhorn does not say":      {"", "", "True", 1},
		"Longhorn is not asked":      {api.BackendCDI, "pending", "True", 1},
		"it was another's last word": {"", "pending", "Unknown", 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newOneImage(t)
			c.stored = test.stored
			c.set(uploadFailed)
			c.set(func(status *api.VirtualMachineImageStatus) { status.Conditions[0].Status = test.initialized })
			c.uploads = 1 // by an earlier apply
			c.answer = func(http.ResponseWriter, int) { c.set(ready) }
			_, err := c.filler(test.backend, 2*time.Second).fill(t.Context())
			if c.sent() != test.uploads || (err == nil) != (test.uploads == 2) {
				t.Errorf("after %d uploads: %v; want %d", c.sent(), err, test.uploads)
			}
		})
	}
}

// If it cannot be made anew, why Harvester gave it up is said all the same; one that was deleted before leaves the state.
func TestImageThatIsNotMadeAnew(t *testing.T) {
	t.Parallel()
	forbidden := &objects.DescribedError{Diagnostics: diag.Diagnostics{diag.NewErrorDiagnostic("Not allowed", "")}}
	for name, test := range map[string]struct {
		wrong error
		gone  bool
		want  string
	}{
		"not deleted":       {forbidden, false, "Not allowed; Image import failed"},
		"deleted, not made": {discarded{forbidden}, true, "Not allowed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newOneImage(t)
			c.answer = func(w http.ResponseWriter, _ int) {
				c.set(exceeded("unexpected EOF"))
				w.WriteHeader(http.StatusBadGateway)
			}
			f := c.filler("", time.Minute)
			f.made = &c.image
			f.renew = func(_ context.Context, image *api.VirtualMachineImage) (*api.VirtualMachineImage, error) {
				return image, test.wrong
			}
			plan := full()
			image, diags := f.run(t.Context(), &plan, leftTainted)
			var said []string
			for _, d := range diags {
				said = append(said, d.Summary())
			}
			if got := strings.Join(said, "; "); got != test.want || (image == nil) != test.gone {
				t.Errorf("got %q and image %v, want %q", got, image, test.want)
			}
		})
	}
}

// Harvester can write that an upload broke over an image that is ready: what an earlier apply has begun, or an answer that
// did not come, is looked at again when it had the time for that.
func TestLastWordOnABrokenUpload(t *testing.T) {
	t.Parallel()
	for name, broke := range map[string]bool{"of an earlier apply": true, "of none": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newOneImage(t)
			c.checksum = "all there"
			c.set(ready)
			c.answer = func(http.ResponseWriter, int) { c.set(ready) }
			time.AfterFunc(250*time.Millisecond, func() { c.set(uploadFailed) })
			f := c.filler("", time.Minute)
			f.broke, f.renew = broke, c.replace
			image, err := f.fill(t.Context())
			if wanted := map[bool]string{true: "11", false: "1"}[broke]; err != nil || string(image.UID) != wanted {
				t.Errorf("got image %s, %v; want %s", image.UID, err, wanted)
			}
		})
	}
}

// The last word on an upload that this run cut short, by deleting its image, would be about the next image of that name.
func TestUploadCutShortByItsDeletion(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(*api.VirtualMachineImage)
		waits  bool
	}{
		"an upload under way": {func(*api.VirtualMachineImage) {}, true},
		"one that has failed": {func(i *api.VirtualMachineImage) { uploadFailed(&i.Status) }, true},
		"one that was ready":  {func(i *api.VirtualMachineImage) { ready(&i.Status) }, false},
		"a download":          {func(i *api.VirtualMachineImage) { i.Spec.SourceType = api.SourceDownload }, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newOneImage(t)
			f := c.filler("", time.Minute)
			r := &lifecycle{images: f.images}
			r.Session = f.session
			plan := full()
			plan.Namespace, plan.Name = types.StringValue("default"), types.StringValue("a")
			test.change(&c.image)
			deleted := time.Now()
			if diags := r.requestDeletion(t.Context(), &plan, &c.image); diags.HasError() {
				t.Fatal(diags)
			}
			var made time.Time
			c.answer = func(w http.ResponseWriter, _ int) { // to the creation
				made = time.Now()
				_ = json.NewEncoder(w).Encode(c.image)
			}
			begun := beginning{finish: func() {}}
			diags := r.create(t.Context(), &plan, &begun)
			begun.finish()
			if diags.HasError() || made.Sub(deleted) >= lastWord != test.waits {
				t.Errorf("made %s after the deletion: %v; want it to wait: %v", made.Sub(deleted), diags, test.waits)
			}
		})
	}
}

// A request is not ended as soon as the image is ready: Harvester would take the upload for broken.
func TestAnswerIsWaitedFor(t *testing.T) {
	t.Parallel()
	c := newOneImage(t)
	c.answer = func(http.ResponseWriter, int) {
		c.set(ready)
		time.Sleep(2500 * time.Millisecond) // the image is looked at every second
	}
	f := c.filler("", time.Minute)
	f.lastWord = time.Minute
	var err error
	if f.offered, err = f.content(t.Context()); err != nil {
		t.Fatal(err)
	}
	if came, wrong := f.attempt(t.Context(), 1); came != arrived || wrong != nil || f.broke {
		t.Errorf("got outcome %d, %v, broken %v", came, wrong, f.broke)
	}
}

// Who has a display name decides whether it is worth waiting for.
func TestDisplayNameTaken(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change  func(*api.VirtualMachineImage)
		leaving bool
		says    string // in the error
	}{
		"another has it":            {func(*api.VirtualMachineImage) {}, false, "Display name is taken"},
		"another is leaving":        {func(i *api.VirtualMachineImage) { i.DeletionTimestamp = new(metav1.Now()) }, true, ""},
		"the image wanted":          {func(i *api.VirtualMachineImage) { i.Name = "wanted" }, false, "already exists"},
		"nobody, Harvester may lag": {func(i *api.VirtualMachineImage) { i.Spec.DisplayName = "" }, false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newOneImage(t)
			plan := full()
			c.image.Spec.DisplayName = plan.DisplayName.ValueString()
			test.change(&c.image)
			r := &lifecycle{images: c.filler("", time.Minute).images}
			r.Session = &session.Session{}
			plan.Name = types.StringValue("wanted")
			leaving, err := r.displayNameTaken(t.Context(), &plan, time.Hour)
			if leaving != test.leaving || (err == nil) != (test.says == "") || err != nil && !strings.Contains(err.Error(), test.says) {
				t.Errorf("leaving %v, %v; want %v, %q", leaving, err, test.leaving, test.says)
			}
		})
	}
}
