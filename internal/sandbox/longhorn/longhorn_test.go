// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package longhorn

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	lhv1beta2 "github.com/longhorn/longhorn-manager/k8s/pkg/apis/longhorn/v1beta2"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/harvester-community/terraform-provider-harvester/internal/sandbox/faults"
	"github.com/harvester-community/terraform-provider-harvester/internal/sandbox/pace"
)

// rig is a Longhorn on a fake API.
type rig struct {
	*Longhorn
	t   *testing.T
	url string
}

func newRig(t *testing.T, change ...func(*Longhorn)) *rig {
	t.Helper()
	l, err := newWith(Options{Dir: t.TempDir(), Faults: faults.NewSwitch(), Pace: pace.Fast}, fakeAPI())
	if err != nil {
		t.Fatal(err)
	}
	for _, apply := range change {
		apply(l)
	}
	start(t, l)
	server := httptest.NewServer(l.Backend())
	t.Cleanup(server.Close)
	return &rig{l, t, server.URL}
}

func fakeAPI() client.Client {
	return fake.NewClientBuilder().WithScheme(scheme).
		WithStatusSubresource(&lhv1beta2.BackingImage{}, &lhv1beta2.BackingImageDataSource{}, &lhv1beta2.Volume{}).
		WithObjects(secret("right", "open sesame"), secret("wrong", "open barley"), &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "node-0"}}).
		Build()
}

// start looks at every backing image again and again: the fake API has no informers.
func start(t *testing.T, l *Longhorn) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for pace.Wait(ctx, 5*time.Millisecond) {
			var images lhv1beta2.BackingImageList
			if err := l.api.List(ctx, &images); err != nil {
				t.Error(err)
			}
			for _, image := range images.Items {
				_, _ = l.reconcile(ctx, reconcile.Request{NamespacedName: key(image.Name)})
			}
			for len(l.news) > 0 {
				<-l.news
			}
		}
		l.stopAll()
	}()
	stop = func() {
		cancel()
		<-done
	}
	t.Cleanup(stop)
	return stop
}

func secret(name, passphrase string) *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "default"},
		Data:       map[string][]byte{"CRYPTO_KEY_VALUE": []byte(passphrase), "CRYPTO_KEY_PROVIDER": []byte("secret")},
	}
}

func (r *rig) create(name string, source lhv1beta2.BackingImageDataSourceType, checksum string, parameters map[string]string) {
	r.t.Helper()
	image := &lhv1beta2.BackingImage{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: Namespace, Annotations: map[string]string{imageAnnotation: "default/" + name}},
		Spec:       lhv1beta2.BackingImageSpec{SourceType: source, Checksum: checksum, SourceParameters: parameters},
	}
	if err := r.api.Create(context.Background(), image); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) status(name string) lhv1beta2.BackingImageDiskFileStatus {
	image, err := r.image(context.Background(), name)
	if err != nil || image.Status.DiskFileStatusMap[diskUUID] == nil {
		return lhv1beta2.BackingImageDiskFileStatus{}
	}
	return *image.Status.DiskFileStatusMap[diskUUID]
}

func (r *rig) await(name string, state lhv1beta2.BackingImageState) lhv1beta2.BackingImageDiskFileStatus {
	r.t.Helper()
	r.eventually(func() bool {
		source, err := r.source(context.Background(), name)
		return err == nil && source.Status.CurrentState == state && r.status(name).State == state
	}, func() string { return fmt.Sprintf("%s is %+v, want %s", name, r.status(name), state) })
	return r.status(name)
}

func (r *rig) eventually(is func() bool, complaint func() string) {
	r.t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !is(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			r.t.Fatal(complaint())
		}
	}
}

// content is what the file of a finished image holds.
func (r *rig) content(name string) []byte {
	r.t.Helper()
	image, err := r.image(context.Background(), name)
	if err != nil {
		r.t.Fatal(err)
	}
	data, err := os.ReadFile(r.store.path(name, image.Status.UUID))
	if err != nil {
		r.t.Fatal(err)
	}
	return data
}

func (r *rig) post(name string, size int, part string, body io.Reader) (int, string) {
	answer, err := http.DefaultClient.Do(r.request(context.Background(), name, size, part, body))
	if err != nil {
		return 0, err.Error()
	}
	defer answer.Body.Close()
	text, _ := io.ReadAll(answer.Body)
	return answer.StatusCode, strings.TrimSpace(string(text))
}

func (r *rig) request(ctx context.Context, name string, size int, part string, body io.Reader) *http.Request {
	reader, writer := io.Pipe()
	form := multipart.NewWriter(writer)
	go func() {
		field, err := form.CreateFormFile(part, "disk.img")
		if err == nil {
			_, err = io.Copy(field, body)
		}
		if err == nil {
			err = form.Close()
		}
		writer.CloseWithError(err)
	}()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, fmt.Sprintf("%s/v1/backingimages/%s?action=upload&size=%d", r.url, name, size), reader)
	if err != nil {
		r.t.Fatal(err)
	}
	request.Header.Set("Content-Type", form.FormDataContentType())
	return request
}

// disk is a disk with data, a hole, and data.
func disk() []byte {
	data := make([]byte, 3<<20)
	random := rand.NewChaCha8([32]byte{1})
	_, _ = random.Read(data[:1<<20])
	_, _ = random.Read(data[2<<20:])
	return data
}

func sum(data []byte) string {
	raw := sha512.Sum512(data)
	return hex.EncodeToString(raw[:])
}

func TestUploadAndDownload(t *testing.T) {
	r, data := newRig(t), disk()
	r.create("up", lhv1beta2.BackingImageDataSourceTypeUpload, sum(data), nil)
	r.await("up", pending)
	if code, text := r.post("up", len(data), "chunk", bytes.NewReader(data)); code != http.StatusOK {
		t.Fatalf("upload: %d %s", code, text)
	}
	if got := r.await("up", ready); got.Progress != 100 {
		t.Errorf("progress %d", got.Progress)
	}
	image, _ := r.image(context.Background(), "up")
	status := image.Status
	if status.Size != 3<<20 || status.VirtualSize != 3<<20 || status.RealSize >= 3<<20 || status.Checksum != sum(data) {
		t.Errorf("status %+v", status)
	}
	if source, _ := r.source(context.Background(), "up"); !source.Spec.FileTransferred || source.Spec.NodeID != "node-0" {
		t.Errorf("data source %+v", source.Spec)
	}
	answer, err := http.Get(r.url + "/v1/backingimages/up/download")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	expanded, err := gzip.NewReader(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(expanded); err != nil || !bytes.Equal(got, data) {
		t.Errorf("download differs, error %v", err)
	}
	if code, text := r.post("up", len(data), "chunk", bytes.NewReader(data)); code != 500 || !strings.Contains(text, "backing image data source pod is not ready for uploading") {
		t.Errorf("upload to a finished image: %d %s", code, text)
	}
}

func TestUploadRefused(t *testing.T) {
	data := disk()
	for name, test := range map[string]struct {
		size    int
		part    string
		answer  string
		message string
	}{
		"odd size":  {1000, "chunk", "the uploaded file size 1000 should be a multiple of 512 bytes since Longhorn uses directIO by default", beginTimeout},
		"no chunk":  {len(data), "file", "EOF", beginTimeout},
		"too short": {len(data) + 512, "chunk", "processed data size 3145728 does not match the expected file size 3146240", "failed to process sync file: processed data size 3145728 does not match the expected file size 3146240"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, func(l *Longhorn) { l.begin = 2 * time.Second })
			r.create("up", lhv1beta2.BackingImageDataSourceTypeUpload, "", nil)
			r.await("up", pending)
			code, text := r.post("up", test.size, test.part, bytes.NewReader(data))
			// An answer that comes before the body has been read can be lost with the connection.
			if code != 0 && (code != 500 || !strings.HasSuffix(text, test.answer)) {
				t.Errorf("%d %s", code, text)
			}
			if got := r.await("up", failed); got.Message != test.message {
				t.Errorf("message %q", got.Message)
			}
		})
	}
}

func TestWrongChecksumIsFoundAfterTheAnswer(t *testing.T) {
	r, data := newRig(t), disk()
	expected := strings.Repeat("a", 128)
	r.create("up", lhv1beta2.BackingImageDataSourceTypeUpload, expected, nil)
	r.await("up", pending)
	if code, text := r.post("up", len(data), "chunk", bytes.NewReader(data)); code != http.StatusOK {
		t.Fatalf("upload: %d %s", code, text)
	}
	want := fmt.Sprintf("failed to process sync file: the expected checksum %s doesn't match the file actual checksum %s", expected, sum(data))
	if got := r.await("up", failed); got.Message != want {
		t.Errorf("message %q", got.Message)
	}
}

func TestBrokenUploadAndSecondTry(t *testing.T) {
	r, data := newRig(t), disk()
	r.create("up", lhv1beta2.BackingImageDataSourceTypeUpload, "", nil)
	r.await("up", pending)
	broken := io.MultiReader(bytes.NewReader(data[:1<<20]), errorReader{})
	if code, _ := r.post("up", len(data), "chunk", broken); code != 0 {
		t.Errorf("broken upload was answered with %d", code)
	}
	if got := r.await("up", failed); got.Message != "failed to process sync file: failed to copy the data with timeout: unexpected EOF" {
		t.Errorf("message %q", got.Message)
	}
	// Harvester now replaces the backing image.
	for _, object := range []client.Object{&lhv1beta2.BackingImage{}, &lhv1beta2.BackingImageDataSource{}} {
		object.SetNamespace(Namespace)
		object.SetName("up")
		if err := r.api.Delete(context.Background(), object); err != nil {
			t.Fatal(err)
		}
	}
	r.create("up", lhv1beta2.BackingImageDataSourceTypeUpload, "", nil)
	r.await("up", pending)
	if code, text := r.post("up", len(data), "chunk", bytes.NewReader(data)); code != http.StatusOK {
		t.Fatalf("second upload: %d %s", code, text)
	}
	r.await("up", ready)
}

type errorReader struct{}

func (errorReader) Read([]byte) (int, error) { return 0, errors.New("cable pulled") }

func TestHoldAndRelease(t *testing.T) {
	r, data, hold := newRig(t), disk(), 40
	r.faults.Set("default/up", faults.Fault{HoldProgress: &hold})
	r.create("up", lhv1beta2.BackingImageDataSourceTypeUpload, "", nil)
	r.await("up", pending)
	answered := make(chan int, 1)
	go func() {
		code, _ := r.post("up", len(data), "chunk", bytes.NewReader(data))
		answered <- code
	}()
	if got := r.await("up", inProgress); got.Progress > hold {
		t.Errorf("progress %d", got.Progress)
	}
	r.eventually(func() bool { return r.status("up").Progress == hold }, func() string { return "never reached the hold" })
	select {
	case code := <-answered:
		t.Fatalf("a held upload was answered with %d", code)
	case <-time.After(500 * time.Millisecond):
	}
	r.faults.Clear("default/up")
	if code := <-answered; code != http.StatusOK {
		t.Errorf("released upload: %d", code)
	}
	r.await("up", ready)
}

func TestCancelWhileHeld(t *testing.T) {
	r, data, hold := newRig(t), disk(), 40
	r.faults.Set(faults.Everything, faults.Fault{HoldProgress: &hold})
	r.create("up", lhv1beta2.BackingImageDataSourceTypeUpload, "", nil)
	r.await("up", pending)
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		if answer, err := http.DefaultClient.Do(r.request(ctx, "up", len(data), "chunk", bytes.NewReader(data))); err == nil {
			answer.Body.Close()
		}
	}()
	r.await("up", inProgress)
	time.Sleep(300 * time.Millisecond)
	cancel()
	r.await("up", failed)
}

func TestFailImport(t *testing.T) {
	r, data := newRig(t), disk()
	r.faults.Set("default/up", faults.Fault{FailImport: "disk full", FailImportTimes: 1})
	r.create("up", lhv1beta2.BackingImageDataSourceTypeUpload, "", nil)
	r.await("up", pending)
	if code, text := r.post("up", len(data), "chunk", bytes.NewReader(data)); code != http.StatusOK {
		t.Fatalf("upload: %d %s", code, text)
	}
	if got := r.await("up", failed); got.Message != "disk full" {
		t.Errorf("message %q", got.Message)
	}
}

func TestNobodyUploads(t *testing.T) {
	r := newRig(t, func(l *Longhorn) { l.begin = 50 * time.Millisecond })
	r.create("up", lhv1beta2.BackingImageDataSourceTypeUpload, "", nil)
	if got := r.await("up", failed); got.Message != beginTimeout {
		t.Errorf("message %q", got.Message)
	}
}

func TestSilentUploadFailsWithItsNextBytes(t *testing.T) {
	r, data := newRig(t, func(l *Longhorn) { l.idle = 50 * time.Millisecond }), disk()
	r.create("up", lhv1beta2.BackingImageDataSourceTypeUpload, "", nil)
	r.await("up", pending)
	silent := io.MultiReader(bytes.NewReader(data[:1<<20]), sleepReader(300*time.Millisecond), bytes.NewReader(data[1<<20:]))
	code, text := r.post("up", len(data), "chunk", silent)
	if code != 0 && !strings.HasSuffix(text, "context cancelled during the copy") {
		t.Errorf("%d %s", code, text)
	}
	if got := r.await("up", failed); got.Message != "failed to process sync file: failed to copy the data with timeout: context cancelled during the copy" {
		t.Errorf("message %q", got.Message)
	}
}

// sleepReader has nothing to read, and takes its time to say so.
type sleepReader time.Duration

func (s sleepReader) Read([]byte) (int, error) {
	time.Sleep(time.Duration(s))
	return 0, io.EOF
}

func TestRestart(t *testing.T) {
	ctx, data := context.Background(), disk()
	api, dir := fakeAPI(), t.TempDir()
	boot := func() (*rig, func()) {
		l, err := newWith(Options{Dir: dir, Pace: pace.Fast}, api)
		if err != nil {
			t.Fatal(err)
		}
		server := httptest.NewServer(l.Backend())
		t.Cleanup(server.Close)
		return &rig{l, t, server.URL}, start(t, l)
	}
	r, stop := boot()
	for _, name := range []string{"done", "cut"} {
		r.create(name, lhv1beta2.BackingImageDataSourceTypeUpload, "", nil)
		r.await(name, pending)
	}
	if code, text := r.post("done", len(data), "chunk", bytes.NewReader(data)); code != http.StatusOK {
		t.Fatalf("upload: %d %s", code, text)
	}
	r.await("done", ready)
	go r.post("cut", len(data), "chunk", io.MultiReader(bytes.NewReader(data[:1<<20]), sleepReader(2*time.Second)))
	r.await("cut", inProgress)
	stop()

	r, _ = boot()
	if got := r.await("cut", failed); got.Message != podMissing {
		t.Errorf("message %q", got.Message)
	}
	if r.await("done", ready); !bytes.Equal(r.content("done"), data) {
		t.Error("the finished image has changed")
	}
	if _, err := r.image(ctx, "done"); err != nil {
		t.Error(err)
	}
}

func TestDownloadFromURL(t *testing.T) {
	data := disk()
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/disk.img" {
			http.NotFound(w, r)
			return
		}
		http.ServeContent(w, r, "disk.img", time.Time{}, bytes.NewReader(data))
	}))
	defer web.Close()
	r := newRig(t)
	url := func(path string) map[string]string {
		return map[string]string{lhv1beta2.DataSourceTypeDownloadParameterURL: web.URL + path}
	}
	r.create("good", lhv1beta2.BackingImageDataSourceTypeDownload, sum(data), url("/disk.img"))
	r.create("gone", lhv1beta2.BackingImageDataSourceTypeDownload, "", url("/other.img"))
	if r.await("good", ready); !bytes.Equal(r.content("good"), data) {
		t.Error("file differs")
	}
	want := fmt.Sprintf("failed to process sync file: expected status code 200 from %s/other.img, got 404 Not Found", web.URL)
	if got := r.await("gone", failed); got.Message != want {
		t.Errorf("message %q", got.Message)
	}
}

func TestEncryptAndDecrypt(t *testing.T) {
	r, data := newRig(t), disk()
	r.create("plain", lhv1beta2.BackingImageDataSourceTypeUpload, "", nil)
	r.await("plain", pending)
	if code, text := r.post("plain", len(data), "chunk", bytes.NewReader(data)); code != http.StatusOK {
		t.Fatalf("upload: %d %s", code, text)
	}
	r.await("plain", ready)
	clone := func(name, from, operation, secret string) {
		r.create(name, lhv1beta2.BackingImageDataSourceTypeClone, "", map[string]string{
			lhv1beta2.DataSourceTypeCloneParameterBackingImage:    from,
			lhv1beta2.DataSourceTypeCloneParameterEncryption:      operation,
			lhv1beta2.DataSourceTypeCloneParameterSecret:          secret,
			lhv1beta2.DataSourceTypeCloneParameterSecretNamespace: "default",
		})
	}
	clone("locked", "plain", encrypt, "right")
	r.await("locked", ready)
	locked := r.content("locked")
	if len(locked) != len(data)+headerSize || bytes.Contains(locked, data[:4096]) {
		t.Errorf("not encrypted: %d bytes", len(locked))
	}
	if image, _ := r.image(context.Background(), "locked"); image.Spec.Secret != "right" {
		t.Errorf("secret %q", image.Spec.Secret)
	}
	clone("open", "locked", decrypt, "right")
	clone("shut", "locked", decrypt, "wrong")
	clone("keyless", "locked", decrypt, "missing")
	if r.await("open", ready); !bytes.Equal(r.content("open"), data) {
		t.Error("the decrypted image differs from the original")
	}
	if got := r.await("shut", failed); !strings.Contains(got.Message, "No key available with this passphrase.") {
		t.Errorf("message %q", got.Message)
	}
	if got := r.await("keyless", failed); !strings.Contains(got.Message, `secrets "missing" not found`) {
		t.Errorf("message %q", got.Message)
	}
}

func TestExport(t *testing.T) {
	r, data, ctx := newRig(t), disk(), context.Background()
	r.create("base", lhv1beta2.BackingImageDataSourceTypeUpload, "", nil)
	r.await("base", pending)
	if code, text := r.post("base", len(data), "chunk", bytes.NewReader(data)); code != http.StatusOK {
		t.Fatalf("upload: %d %s", code, text)
	}
	r.await("base", ready)
	for name, base := range map[string]string{"vol": "base", "blank": ""} {
		volume := &lhv1beta2.Volume{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: Namespace}, Spec: lhv1beta2.VolumeSpec{Size: 8 << 20, BackingImage: base}}
		if err := r.api.Create(ctx, volume); err != nil {
			t.Fatal(err)
		}
		r.create("of-"+name, lhv1beta2.BackingImageDataSourceTypeExportFromVolume, "", map[string]string{lhv1beta2.DataSourceTypeExportFromVolumeParameterVolumeName: name})
		r.await("of-"+name, ready)
	}
	if want := append(bytes.Clone(data), make([]byte, 5<<20)...); !bytes.Equal(r.content("of-vol"), want) {
		t.Error("export of a volume differs")
	}
	if !bytes.Equal(r.content("of-blank"), make([]byte, 8<<20)) {
		t.Error("export of a blank volume is not blank")
	}
	if image, _ := r.image(ctx, "of-blank"); image.Status.RealSize > 1<<20 {
		t.Errorf("export of a blank volume is not sparse: %d", image.Status.RealSize)
	}
	if err := r.refuseDelete(ctx, "base"); message(err) != "cannot delete backing image base since there are replicas using it" {
		t.Errorf("delete of a used image: %v", err)
	}
	if err := r.refuseDelete(ctx, "of-blank"); err != nil {
		t.Errorf("delete of an unused image: %v", err)
	}
}

func TestRestore(t *testing.T) {
	r, data := newRig(t), disk()
	if err := os.MkdirAll(filepath.Dir(r.store.backupPath("x")), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(r.store.backupPath("vmi-1"), data, 0o644); err != nil {
		t.Fatal(err)
	}
	from := func(name string) map[string]string {
		return map[string]string{lhv1beta2.DataSourceTypeRestoreParameterBackupURL: "nfs://store.invalid:/backup?backingImage=" + name}
	}
	r.create("good", lhv1beta2.BackingImageDataSourceTypeRestore, "", from("vmi-1"))
	r.create("gone", lhv1beta2.BackingImageDataSourceTypeRestore, "", from("vmi-2"))
	r.create("evil", lhv1beta2.BackingImageDataSourceTypeRestore, "", from("../secret"))
	if r.await("good", ready); !bytes.Equal(r.content("good"), data) {
		t.Error("file differs")
	}
	if got := r.await("gone", failed); !strings.HasSuffix(got.Message, "cannot find backupstore/backing-images/vmi-2/backup_backing_image.cfg in backupstore") {
		t.Errorf("message %q", got.Message)
	}
	if got := r.await("evil", failed); !strings.Contains(got.Message, "invalid name") {
		t.Errorf("message %q", got.Message)
	}
}

func TestRemoveWaitsForVolumes(t *testing.T) {
	r, ctx := newRig(t), context.Background()
	volume := &lhv1beta2.Volume{ObjectMeta: metav1.ObjectMeta{Name: "vol", Namespace: Namespace}, Spec: lhv1beta2.VolumeSpec{BackingImage: "used"}}
	image := &lhv1beta2.BackingImage{
		ObjectMeta: metav1.ObjectMeta{Name: "used", Namespace: Namespace, Finalizers: []string{finalizer}},
		Spec:       lhv1beta2.BackingImageSpec{SourceType: lhv1beta2.BackingImageDataSourceTypeUpload},
	}
	for _, object := range []client.Object{volume, image} {
		if err := r.api.Create(ctx, object); err != nil {
			t.Fatal(err)
		}
	}
	r.await("used", pending)
	if err := r.api.Delete(ctx, image); err != nil {
		t.Fatal(err)
	}
	gone := func() bool {
		_, err := r.image(ctx, "used")
		return apierrors.IsNotFound(err)
	}
	time.Sleep(200 * time.Millisecond)
	if gone() {
		t.Fatal("a used image was let go")
	}
	if err := r.api.Delete(ctx, volume); err != nil {
		t.Fatal(err)
	}
	r.eventually(gone, func() string { return "the image was not let go" })
}
