// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package image

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/klauspost/compress/zstd"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
	"github.com/harvester-community/terraform-provider-harvester/internal/session"
	"github.com/harvester-community/terraform-provider-harvester/internal/transfer"
	"github.com/harvester-community/terraform-provider-harvester/internal/wait"
)

// stored is a cluster with one image, of which Longhorn tells something.
type stored struct {
	mu      sync.Mutex
	image   api.VirtualMachineImage
	sums    []string // of the stored data, at each look; the last one stays
	status  int      // of Longhorn's answers, if it is no 200
	looks   int
	patches []string
	deleted bool
}

func (s *stored) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	switch {
	case strings.Contains(r.URL.Path, "/backingimages/"):
		s.looks++
		if s.status != 0 {
			w.WriteHeader(s.status)
			_ = json.NewEncoder(w).Encode(object{"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": s.status, "reason": reasons[s.status], "message": "no luck"})
			return
		}
		sum := s.sums[min(s.looks, len(s.sums))-1]
		_ = json.NewEncoder(w).Encode(object{
			"kind": "BackingImage", "apiVersion": "longhorn.io/v1beta2", "metadata": object{"name": "vmi-1", "namespace": api.NamespaceLonghorn},
			"status": object{"checksum": sum},
		})
	case r.Method == http.MethodDelete:
		s.deleted = true
		_ = json.NewEncoder(w).Encode(object{"kind": "Status", "apiVersion": "v1", "status": "Success"})
	case r.Method == http.MethodPatch:
		var body bytes.Buffer
		_, _ = body.ReadFrom(r.Body)
		s.patches = append(s.patches, body.String())
		_ = json.NewEncoder(w).Encode(s.image)
	default:
		_ = json.NewEncoder(w).Encode(s.image)
	}
}

var reasons = map[int]string{403: "Forbidden", 404: "NotFound", 502: "InternalError"}

// imported is an image that Harvester has all of, with the mark.
func imported(size int64, spec api.VirtualMachineImageSpec, annotations map[string]string) api.VirtualMachineImage {
	return api.VirtualMachineImage{
		TypeMeta:   metav1.TypeMeta{APIVersion: "harvesterhci.io/v1beta1", Kind: api.KindImage},
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "a", UID: "1", Annotations: annotations},
		Spec:       spec,
		Status:     api.VirtualMachineImageStatus{Size: size, Conditions: []api.Condition{{Type: api.ImageImported, Status: "True"}}},
	}
}

// verifier verifies the image of a cluster, whose data it has sent or not.
func (s *stored) verifier(t *testing.T, content *transfer.Content, sent bool) *filler {
	t.Helper()
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	client, err := kube.Connect(kube.Connection{Host: server.URL, Token: "t"}, "test")
	if err != nil {
		t.Fatal(err)
	}
	f := &filler{
		session: session.New(client, session.ChecksError, 1), images: kube.For[api.VirtualMachineImage](client, api.Images, api.KindImage),
		backingImages: kube.For[api.BackingImage](client, api.BackingImages, "BackingImage"), tells: 300 * time.Millisecond,
		backend: s.image.Spec.Backend, target: wait.Target{Resource: api.Images, Namespace: "default", Name: "a", UID: "1"},
		sent: sent, marked: s.image.Unverified(),
	}
	f.provide(content)
	if sent {
		f.offered = content
	}
	return f
}

// What becomes of an image that Harvester has all of.
func TestVerify(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	disk := bytes.Repeat([]byte("disk"), 1024)
	const size, other = 4096, "0123456789abcdef"
	marked := map[string]string{api.AnnotationUnverified: "true"}
	for name, test := range map[string]struct {
		sums      []string
		status    int
		size      int64
		spec      api.VirtualMachineImageSpec
		unmarked  bool
		unlike    bool // the file is not the one that the image's annotation tells of
		sent      bool
		deleted   bool
		wants     string // of the error
		unlooked  bool   // Longhorn is not asked
		looksMany bool
	}{
		"same":                                  {sums: []string{sum(disk)}, size: size, sent: true},
		"same, sent by an earlier run":          {sums: []string{sum(disk)}, size: size},
		"same, of a copy":                       {sums: []string{sum(disk)}, size: size, unlike: true},
		"told a little later":                   {sums: []string{"", sum(disk)}, size: size, sent: true, looksMany: true},
		"other":                                 {sums: []string{other}, size: size, sent: true, deleted: true, wants: "what arrived is not what was sent"},
		"other, sent by an earlier run":         {sums: []string{other}, size: size, deleted: true, wants: "sent other data than the file"},
		"told what to expect":                   {spec: api.VirtualMachineImageSpec{Checksum: sum(disk)}, size: size, unlooked: true},
		"told to expect something else":         {spec: api.VirtualMachineImageSpec{Checksum: other}, size: size, unlooked: true, deleted: true, wants: "sent other data than the file"},
		"never told":                            {sums: []string{""}, size: size, sent: true, looksMany: true},
		"never told, other length":              {sums: []string{""}, size: size - 512, sent: true, looksMany: true, deleted: true, wants: "has 3584 bytes"},
		"never told, length not known":          {sums: []string{""}, sent: true, looksMany: true},
		"never told, sent by an earlier run":    {sums: []string{""}, size: size, looksMany: true},
		"never told, of a copy":                 {sums: []string{""}, size: size, unlike: true, looksMany: true, deleted: true, wants: "nothing tells whether"},
		"forbidden":                             {status: 403, size: size, sent: true},
		"forbidden, of a copy":                  {status: 403, size: size, unlike: true, deleted: true, wants: "no luck"},
		"under another name":                    {status: 404, size: size, sent: true},
		"cdi":                                   {spec: api.VirtualMachineImageSpec{Backend: api.BackendCDI}, size: size, sent: true, unlooked: true},
		"cdi, other length":                     {spec: api.VirtualMachineImageSpec{Backend: api.BackendCDI}, size: 1, sent: true, unlooked: true, deleted: true, wants: "has 1 bytes"},
		"cdi, sent by an earlier run":           {spec: api.VirtualMachineImageSpec{Backend: api.BackendCDI}, size: size, unlooked: true},
		"compared by Harvester, only not known": {unmarked: true, sent: true, unlooked: true},
	} {
		t.Run(name, func(t *testing.T) {
			content := unread(t, disk)
			sign, err := content.Sign(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			annotations := map[string]string{}
			if !test.unmarked {
				annotations = map[string]string{api.AnnotationUnverified: marked[api.AnnotationUnverified], api.AnnotationFile: sign.Same}
			}
			if test.unlike {
				annotations[api.AnnotationFile] = "another"
			}
			s := &stored{image: imported(test.size, test.spec, annotations), sums: test.sums, status: test.status}
			f := s.verifier(t, content, test.sent)
			_, err = f.verify(t.Context(), &s.image)
			if (err == nil) != (test.wants == "") || err != nil && !strings.Contains(err.Error(), test.wants) {
				t.Errorf("got %v, want %q", err, test.wants)
			}
			if s.deleted != test.deleted || err != nil && !errors.Is(err, errGone) {
				t.Errorf("deleted is %v", s.deleted)
			}
			if unmarks := len(s.patches) == 1 && s.patches[0] == `{"metadata":{"annotations":{"terraform-provider-harvester/unverified":null},"uid":"1"}}`; unmarks == (test.deleted || test.unmarked) {
				t.Errorf("patches are %q", s.patches)
			}
			if s.looks == 0 != test.unlooked || s.looks > 1 != test.looksMany {
				t.Errorf("Longhorn was asked %d times", s.looks)
			}
			if f.offered == nil || f.offered.SHA512 != sum(disk) {
				t.Errorf("known in the end is %+v", f.offered)
			}
			if _, kept := transfer.UserCache().Known(content.File, content.Treatment); kept == test.deleted {
				t.Errorf("kept is %v", kept)
			}
		})
	}
}

// unread is the content of a file that is hashed while it is sent.
func unread(t *testing.T, content []byte) *transfer.Content {
	t.Helper()
	file, err := transfer.Inspect(write(t, "disk.raw", content))
	if err != nil {
		t.Fatal(err)
	}
	unread, err := file.Unread(t.Context(), transfer.Treatment{Decompress: true, Pad: true})
	if err != nil || unread == nil {
		t.Fatal(unread, err)
	}
	return unread
}

// Nothing is decided about an image by a run that was interrupted.
func TestVerifyInterrupted(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	content := unread(t, bytes.Repeat([]byte("disk"), 1024))
	s := &stored{image: imported(4096, api.VirtualMachineImageSpec{}, map[string]string{api.AnnotationUnverified: "true"}), sums: []string{""}}
	f := s.verifier(t, content, true)
	f.tells = time.Minute
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	began := time.Now()
	if _, err := f.verify(ctx, &s.image); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) > 5*time.Second {
		t.Errorf("after %s: %v", time.Since(began), err)
	}
	if s.deleted || len(s.patches) > 0 {
		t.Errorf("deleted is %v, patches are %q", s.deleted, s.patches)
	}
}

// A file that changes before it could be compared is to blame, and the image stays as it is.
func TestVerifyAfterTheFileChanged(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	content := unread(t, bytes.Repeat([]byte("disk"), 1024))
	s := &stored{image: imported(4096, api.VirtualMachineImageSpec{}, map[string]string{api.AnnotationUnverified: "true"}), sums: []string{"x"}}
	if err := os.Chtimes(content.File.Path, time.Time{}, time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.verifier(t, content, false).verify(t.Context(), &s.image); !errors.As(err, new(*transfer.FileError)) || s.deleted || len(s.patches) > 0 {
		t.Errorf("got %v, deleted %v, patches %q", err, s.deleted, s.patches)
	}
}

// The mark is on the image before data is sent that Harvester does not compare.
func TestAnnounce(t *testing.T) {
	t.Parallel()
	disk := bytes.Repeat([]byte("disk"), 1024)
	content := unread(t, disk)
	sign, err := content.Sign(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	known := *content
	known.SHA512 = sum(disk)
	for name, test := range map[string]struct {
		content         *transfer.Content
		spec            api.VirtualMachineImageSpec
		annotations     map[string]string
		marked, patches bool
	}{
		"made for it":                   {content, api.VirtualMachineImageSpec{}, unverified(sign), true, false},
		"made for another file":         {content, api.VirtualMachineImageSpec{}, unverified(transfer.Sign{Same: "x"}), true, true},
		"verified, and wanted again":    {content, api.VirtualMachineImageSpec{}, map[string]string{api.AnnotationFile: sign.Same}, true, true},
		"made by others":                {&known, api.VirtualMachineImageSpec{}, nil, true, true},
		"Harvester knows what comes":    {&known, api.VirtualMachineImageSpec{Checksum: known.SHA512}, nil, false, false},
		"Harvester expects other data":  {&known, api.VirtualMachineImageSpec{Checksum: "x"}, nil, true, true},
		"Harvester does not look at it": {&known, api.VirtualMachineImageSpec{Checksum: known.SHA512, Backend: api.BackendCDI}, nil, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &stored{image: imported(0, test.spec, test.annotations)}
			f := s.verifier(t, test.content, true)
			f.marked = false
			if _, err := f.announce(t.Context(), &s.image); err != nil {
				t.Fatal(err)
			}
			want := `{"metadata":{"annotations":{"terraform-provider-harvester/file":"` + sign.Same + `","terraform-provider-harvester/unverified":"true"},"uid":"1"}}`
			if f.marked != test.marked || (len(s.patches) == 1 && s.patches[0] == want) != test.patches {
				t.Errorf("marked is %v, patches are %q", f.marked, s.patches)
			}
		})
	}
}

// The file is read before it is sent only where that is needed.
func TestWhatIsReadBefore(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	disk := bytes.Repeat([]byte("disk"), 1024)
	for name, test := range map[string]struct {
		file    []byte
		change  func(*model)
		read    bool
		planned bool // with the plan as well
	}{
		"as it is":          {disk, func(*model) {}, false, false},
		"auto":              {disk, func(m *model) { m.Verify = types.StringValue(verifyAuto) }, false, false},
		"strict":            {disk, func(m *model) { m.Verify = types.StringValue(verifyStrict) }, true, false},
		"stated":            {disk, func(m *model) { m.Checksum = types.StringValue(sum(disk)) }, true, true},
		"gzip":              {packedWith(t, disk), func(*model) {}, true, true},
		"gzip, as it is":    {packedWith(t, disk), func(m *model) { m.Decompress = types.StringValue(decompressNone) }, false, false},
		"zstd":              {zstandard(t, disk), func(*model) {}, false, false},
		"zstd, strict":      {zstandard(t, disk), func(m *model) { m.Verify = types.StringValue(verifyStrict) }, true, true},
		"zstd, replaced":    {zstandard(t, disk), func(m *model) { m.FileChanges = types.StringValue(changesIgnore) }, false, true},
		"cdi":               {disk, func(m *model) { m.Backend = types.StringValue(api.BackendCDI) }, false, false},
		"zstd, by a stated": {zstandard(t, disk), func(m *model) { m.Checksum = types.StringValue(sum(disk)) }, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			m := uploading(write(t, "disk.img", test.file))
			test.change(&m)
			file, err := m.file()
			if err != nil {
				t.Fatal(err)
			}
			if got := m.mustRead(t.Context(), file); got != test.planned {
				t.Errorf("read with the plan is %v", got)
			}
			content, sign, diags := m.content(t.Context(), "")
			if diags.HasError() || sign.Same == "" || (content.SHA512 != "") != test.read {
				t.Fatalf("got %v, %+v, %+v", diags, sign, content)
			}
			if _, err := transfer.UserCache().Scan(t.Context(), file, m.treatment()); err != nil {
				t.Fatal(err)
			}
			if content, _, _ := m.content(t.Context(), ""); content == nil || content.SHA512 == "" {
				t.Errorf("what is known is not used: %+v", content)
			}
		})
	}
}

// An interrupted creation is known again whether or not the checksum was known then, and on another machine.
func TestIntentOfAnUpload(t *testing.T) {
	t.Parallel()
	disk := bytes.Repeat([]byte("disk"), 1024)
	of := func(checksum string, content *transfer.Content) string {
		sign, err := content.Sign(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return intent(api.VirtualMachineImageSpec{DisplayName: "a", Checksum: checksum}, material{content: content, sign: sign})
	}
	first := of("", unread(t, disk))
	if of(sum(disk), unread(t, disk)) != first {
		t.Error("a checksum that is known by now makes it another image")
	}
	if of("", unread(t, append(disk, 1))) == first {
		t.Error("a longer file is taken for the same")
	}
}

// zstandard packs content into a frame that states its length.
func zstandard(t *testing.T, content []byte) []byte {
	t.Helper()
	encoder, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = encoder.Close() }()
	return encoder.EncodeAll(content, nil)
}
