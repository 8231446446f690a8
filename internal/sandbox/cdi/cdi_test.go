// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package cdi

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	cdiv1 "kubevirt.io/containerized-data-importer-api/pkg/apis/core/v1beta1"
	cc "kubevirt.io/containerized-data-importer/pkg/controller/common"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/harvester-community/terraform-provider-harvester/internal/sandbox/faults"
	"github.com/harvester-community/terraform-provider-harvester/internal/sandbox/pace"
	"github.com/harvester-community/terraform-provider-harvester/internal/sandbox/qcow2"
)

const claimSize = 4 << 20

var at = types.NamespacedName{Namespace: "default", Name: "disk"}

// rig is a CDI on a fake API. Claims are bound by hand.
type rig struct {
	*CDI
	t *testing.T
}

func newRig(t *testing.T, objects ...client.Object) *rig {
	t.Helper()
	class := &storagev1.StorageClass{
		ObjectMeta: metav1.ObjectMeta{Name: "class"}, Provisioner: "driver.longhorn.io", Parameters: map[string]string{"migratable": "true"},
	}
	api := fake.NewClientBuilder().WithScheme(scheme).
		WithStatusSubresource(&cdiv1.DataVolume{}, &corev1.PersistentVolumeClaim{}, &appsv1.Deployment{}).
		WithObjects(append(objects, class)...).Build()
	c, err := newWith(Options{
		Dir: t.TempDir(), Faults: faults.NewSwitch(), Pace: pace.Fast,
		Disk: func(context.Context, string) (io.ReadCloser, error) {
			return io.NopCloser(strings.NewReader(strings.Repeat("longhorn", 1000))), nil
		},
	}, api)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.stopAll)
	return &rig{c, t}
}

func (r *rig) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) look(at types.NamespacedName) *cdiv1.DataVolume {
	r.t.Helper()
	_, err := r.reconcile(context.Background(), reconcile.Request{NamespacedName: at})
	r.must(client.IgnoreNotFound(err))
	data := &cdiv1.DataVolume{}
	r.must(client.IgnoreNotFound(r.api.Get(context.Background(), at, data)))
	return data
}

// bind does the volume binder's work. The API gives no UIDs here.
func (r *rig) bind(at types.NamespacedName) {
	r.t.Helper()
	claim, err := r.claim(context.Background(), at)
	r.must(err)
	claim.UID = types.UID("uid-of-" + at.Name)
	claim.Spec.VolumeName = "pvc-" + string(claim.UID)
	r.must(r.api.Update(context.Background(), claim))
	claim.Status.Phase = corev1.ClaimBound
	claim.Status.Capacity = claim.Spec.Resources.Requests
	r.must(r.api.Status().Update(context.Background(), claim))
}

// until looks until the data volume is as wanted.
func (r *rig) until(at types.NamespacedName, wanted func(cdiv1.DataVolumeStatus) bool) cdiv1.DataVolumeStatus {
	r.t.Helper()
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		status := r.look(at).Status
		if wanted(status) {
			return status
		}
		if time.Now().After(end) {
			r.t.Fatalf("still %+v", status)
		}
	}
}

func in(phase cdiv1.DataVolumePhase) func(cdiv1.DataVolumeStatus) bool {
	return func(status cdiv1.DataVolumeStatus) bool { return status.Phase == phase }
}

// started makes a data volume and binds its claim.
func started(t *testing.T, source cdiv1.DataVolumeSource, objects ...client.Object) *rig {
	t.Helper()
	r := newRig(t, append(objects, dataVolume("4Mi", source))...)
	r.look(at)
	r.bind(at)
	return r
}

func (r *rig) stored(at types.NamespacedName) []byte {
	r.t.Helper()
	content, err := os.ReadFile(r.store.path(types.UID("uid-of-" + at.Name)))
	r.must(err)
	return content
}

// readyForUpload is a data volume that waits for its bytes, and the proxy that takes them.
func readyForUpload(t *testing.T) (*rig, *httptest.Server) {
	t.Helper()
	r := started(t, uploadSource())
	r.until(at, in(cdiv1.UploadReady))
	server := httptest.NewServer(r.UploadProxy())
	t.Cleanup(server.Close)
	return r, server
}

func (r *rig) send(server *httptest.Server, path, contentType string, body io.Reader) (int, string) {
	r.t.Helper()
	token, err := r.newToken(at)
	r.must(err)
	return r.sendWith(server, path, contentType, "Bearer "+token, body)
}

func (r *rig) sendWith(server *httptest.Server, path, contentType, authorization string, body io.Reader) (int, string) {
	r.t.Helper()
	request, err := http.NewRequest(http.MethodPost, server.URL+path, body)
	r.must(err)
	request.Header.Set("Content-Type", contentType)
	request.Header.Set("Authorization", authorization)
	answer, err := http.DefaultClient.Do(request)
	r.must(err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	r.must(err)
	return answer.StatusCode, string(text)
}

func form(part string, content []byte) (contentType string, body io.Reader) {
	var buffer bytes.Buffer
	writer := multipart.NewWriter(&buffer)
	_ = writer.WriteField("note", "ignored")
	file, _ := writer.CreateFormFile(part, "disk")
	_, _ = file.Write(content)
	_ = writer.Close()
	return writer.FormDataContentType(), &buffer
}

func asQcow2(t *testing.T, disk []byte) []byte {
	t.Helper()
	var file bytes.Buffer
	if err := qcow2.Write(&file, bytes.NewReader(disk), int64(len(disk))); err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}

// noise is what cannot be packed.
func noise(n int) []byte {
	content := make([]byte, n)
	_, _ = rand.Read(content)
	return content
}

func asGzip(content []byte) []byte {
	var packed bytes.Buffer
	writer := gzip.NewWriter(&packed)
	_, _ = writer.Write(content)
	_ = writer.Close()
	return packed.Bytes()
}

func TestUpload(t *testing.T) {
	disk := append(noise(1<<10), bytes.Repeat([]byte("disk"), 100<<10)...)
	for name, test := range map[string]struct {
		content []byte
		status  int
		text    string
	}{
		"raw":                {disk, http.StatusOK, ""},
		"qcow2":              {asQcow2(t, disk), http.StatusOK, ""},
		"raw in gzip":        {asGzip(disk), http.StatusOK, ""},
		"qcow2 in gzip":      {asGzip(asQcow2(t, disk)), http.StatusOK, ""},
		"raw too large":      {bytes.Repeat([]byte{1}, claimSize+1), http.StatusBadRequest, "Saving stream failed: effective image size is larger than the reported available storage: Unable to transfer source data to target file: unable to write to file: write /dev/cdi-block-volume: no space left on device"},
		"qcow2 too large":    {asQcow2(t, make([]byte, 2*claimSize)), http.StatusBadRequest, "Saving stream failed: effective image size is larger than the reported available storage: Unable to convert source data to target format: virtual image size 8388608 is larger than the reported available storage 4194304. A larger PVC is required"},
		"less than a header": {[]byte("short"), http.StatusInternalServerError, "Saving stream failed: Unable to obtain information about data source: could not process image header: unexpected EOF"},
		"nothing":            {nil, http.StatusInternalServerError, "could not process image header: EOF"},
		"unknown format":     {append([]byte("KDMV"), disk...), http.StatusInternalServerError, "the sandbox does not read images of the format vmdk"},
	} {
		t.Run(name, func(t *testing.T) {
			r, server := readyForUpload(t)
			contentType, body := form("file", test.content)
			status, text := r.send(server, "/v1beta1/upload-form", contentType, body)
			if status != test.status || !strings.Contains(text, test.text) {
				t.Fatalf("%d %q", status, text)
			}
			if status != http.StatusOK {
				if phase := r.look(at).Status.Phase; phase != cdiv1.UploadReady {
					t.Errorf("phase %s", phase)
				}
				return
			}
			r.until(at, in(cdiv1.Succeeded))
			if !bytes.Equal(r.stored(at), disk) {
				t.Error("other bytes are stored")
			}
		})
	}
}

func TestUploadOfWholeBody(t *testing.T) {
	r, server := readyForUpload(t)
	disk := bytes.Repeat([]byte("disk"), 1000)
	if status, text := r.send(server, "/v1beta1/upload", "application/octet-stream", bytes.NewReader(disk)); status != http.StatusOK {
		t.Fatalf("%d %q", status, text)
	}
	// The pod is done, but nobody has noticed yet.
	if status, _ := r.send(server, "/v1beta1/upload", "application/octet-stream", bytes.NewReader(disk)); status != http.StatusConflict {
		t.Errorf("again: %d", status)
	}
	r.until(at, in(cdiv1.Succeeded))
	if status, text := r.send(server, "/v1beta1/upload", "", bytes.NewReader(disk)); status != http.StatusServiceUnavailable || !strings.Contains(text, "already finished uploading") {
		t.Errorf("much later: %d %q", status, text)
	}
}

func TestUploadWithoutFile(t *testing.T) {
	r, server := readyForUpload(t)
	contentType, body := form("chunk", []byte("disk"))
	status, text := r.send(server, "/v1beta1/upload-form", contentType, body)
	if status != http.StatusBadGateway || text != "error in upload-proxy: http: proxy error: EOF\n" {
		t.Errorf("%d %q", status, text)
	}
	contentType, body = form("file", []byte("disk"))
	if status, _ := r.send(server, "/v1beta1/upload-form", contentType, body); status != http.StatusServiceUnavailable {
		t.Errorf("afterwards: %d", status)
	}
}

func TestUploadIsRefused(t *testing.T) {
	r, server := readyForUpload(t)
	r.must(r.api.Create(context.Background(), &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "other"}}))
	other, err := r.newToken(types.NamespacedName{Namespace: "default", Name: "other"})
	r.must(err)
	gone, err := r.newToken(types.NamespacedName{Namespace: "default", Name: "gone"})
	r.must(err)
	for name, test := range map[string]struct {
		authorization string
		status        int
		text          string
	}{
		"no token":      {"", http.StatusBadRequest, ""},
		"other scheme":  {"Basic abc", http.StatusBadRequest, ""},
		"foreign token": {"Bearer kubeconfig-user-1234", http.StatusUnauthorized, ""},
		"no target":     {"Bearer " + other, http.StatusServiceUnavailable, "PVC other is not an upload target"},
		"no claim":      {"Bearer " + gone, http.StatusServiceUnavailable, "rejecting Upload Request for PVC gone that doesn&#39;t exist"},
	} {
		status, text := r.sendWith(server, "/v1beta1/upload", "", test.authorization, strings.NewReader("disk"))
		if status != test.status || text != test.text {
			t.Errorf("%s: %d %q", name, status, text)
		}
	}
}

func (p *pod) busy() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.uploading
}

func TestUploadIsHeldAndFails(t *testing.T) {
	r, server := readyForUpload(t)
	r.faults.Set(faults.Everything, faults.Fault{HoldProgress: new(50), FailImport: "boom"})
	answers := make(chan string, 1)
	go func() {
		status, text := r.send(server, "/v1beta1/upload", "", bytes.NewReader(make([]byte, 1<<20)))
		answers <- fmt.Sprint(status, " ", text)
	}()
	for p := r.podOf(at); !p.busy(); {
		time.Sleep(10 * time.Millisecond)
	}
	select {
	case answer := <-answers:
		t.Fatal(answer)
	case <-time.After(300 * time.Millisecond):
	}
	if status, _ := r.send(server, "/v1beta1/upload", "", strings.NewReader("disk")); status != http.StatusServiceUnavailable {
		t.Errorf("in between: %d", status)
	}
	r.faults.Set(faults.Everything, faults.Fault{FailImport: "boom"})
	if answer := <-answers; answer != "500 Saving stream failed: boom" {
		t.Error(answer)
	}
}

func TestDownload(t *testing.T) {
	disk := bytes.Repeat([]byte("disk"), 100<<10)
	files := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(asQcow2(t, disk)))
	}))
	defer files.Close()
	r := started(t, cdiv1.DataVolumeSource{HTTP: &cdiv1.DataVolumeSourceHTTP{URL: files.URL}})
	r.faults.Set("default/disk", faults.Fault{FailImport: "boom", FailImportTimes: 1})
	failed := r.until(at, func(status cdiv1.DataVolumeStatus) bool {
		return conditionOf(status, cdiv1.DataVolumeRunning).Reason == "Error"
	})
	if failed.Phase != cdiv1.ImportInProgress || conditionOf(failed, cdiv1.DataVolumeRunning).Message != "Unable to process data: boom" {
		t.Errorf("failed: %+v", failed)
	}
	done := r.until(at, in(cdiv1.Succeeded))
	if done.RestartCount != 1 || done.Progress != "100.0%" || !bytes.Equal(r.stored(at), disk) {
		t.Errorf("done: %+v", done)
	}
}

func TestDownloadIsHeld(t *testing.T) {
	files := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 1000)) }))
	defer files.Close()
	r := started(t, cdiv1.DataVolumeSource{HTTP: &cdiv1.DataVolumeSourceHTTP{URL: files.URL}})
	r.faults.Set("default/disk", faults.Fault{HoldProgress: new(42)})
	r.until(at, func(status cdiv1.DataVolumeStatus) bool { return status.Progress == "42.00%" })
	r.faults.ClearAll()
	r.until(at, in(cdiv1.Succeeded))
}

func TestDownloadOfNothing(t *testing.T) {
	files := httptest.NewServer(http.NotFoundHandler())
	defer files.Close()
	r := started(t, cdiv1.DataVolumeSource{HTTP: &cdiv1.DataVolumeSourceHTTP{URL: files.URL}})
	want := "Unable to connect to http data source: expected status code 200, got 404. Status: 404 Not Found"
	r.until(at, func(status cdiv1.DataVolumeStatus) bool {
		return conditionOf(status, cdiv1.DataVolumeRunning).Message == want && status.RestartCount > 0
	})
}

func TestBlank(t *testing.T) {
	r := started(t, cdiv1.DataVolumeSource{Blank: &cdiv1.DataVolumeBlankImage{}})
	r.until(at, in(cdiv1.Succeeded))
	if stored := r.stored(at); len(stored) != 0 {
		t.Errorf("%d bytes", len(stored))
	}
}

func copyOf(name string) cdiv1.DataVolumeSource {
	return cdiv1.DataVolumeSource{PVC: &cdiv1.DataVolumeSourcePVC{Namespace: "default", Name: name}}
}

func TestCopy(t *testing.T) {
	r, server := readyForUpload(t)
	clone := types.NamespacedName{Namespace: "default", Name: "clone"}
	data := dataVolume("4Mi", copyOf("disk"))
	data.Name, data.UID = clone.Name, "clone"
	r.must(r.api.Create(context.Background(), data))
	if phase := r.look(clone).Status.Phase; phase != cdiv1.CloneScheduled {
		t.Errorf("source is not filled: phase %s", phase)
	}
	disk := bytes.Repeat([]byte("disk"), 1000)
	r.send(server, "/v1beta1/upload", "", bytes.NewReader(disk))
	r.until(at, in(cdiv1.Succeeded))
	r.look(clone)
	r.bind(clone)
	r.until(clone, in(cdiv1.Succeeded))
	if !bytes.Equal(r.stored(clone), disk) {
		t.Error("other bytes are stored")
	}
	if opened, err := r.Disk("pvc-uid-of-clone"); err != nil {
		t.Error(err)
	} else {
		opened.Close()
	}
}

func boundClaim(name, size string) *corev1.PersistentVolumeClaim {
	claim, _ := newClaim(dataVolume(size, uploadSource()), properties(corev1.PersistentVolumeBlock))
	claim.Name, claim.Annotations, claim.UID = name, nil, types.UID("uid-of-"+name)
	claim.Status.Phase = corev1.ClaimBound
	return claim
}

func TestCopyOfForeignVolume(t *testing.T) {
	r := started(t, copyOf("source"), boundClaim("source", "2Mi"))
	r.until(at, in(cdiv1.Succeeded))
	if want := strings.Repeat("longhorn", 1000); string(r.stored(at)) != want {
		t.Error("other bytes are stored")
	}
}

func TestCopyWaits(t *testing.T) {
	for name, source := range map[string]*corev1.PersistentVolumeClaim{
		"The source pvc source doesn't exist":                               boundClaim("another", "2Mi"),
		"target resources requests storage size is smaller than the source": boundClaim("source", "8Mi"),
	} {
		data := dataVolume("4Mi", copyOf("source"))
		r := newRig(t, data, source)
		if err := r.checkSource(context.Background(), data); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
		r.look(at)
		if _, err := r.claim(context.Background(), at); err == nil {
			t.Errorf("%s: there is a claim", name)
		}
	}
}

func TestForeignClaimIsLeftAlone(t *testing.T) {
	r := newRig(t, dataVolume("4Mi", uploadSource()), &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Namespace: at.Namespace, Name: at.Name}})
	if phase := r.look(at).Status.Phase; phase != cdiv1.Pending {
		t.Errorf("phase %s", phase)
	}
}

func TestDeletedDisksAreRemoved(t *testing.T) {
	r, server := readyForUpload(t)
	r.send(server, "/v1beta1/upload", "", bytes.NewReader(make([]byte, 1000)))
	data := r.look(at)
	r.must(r.api.Delete(context.Background(), data))
	r.look(at)
	if _, err := os.Stat(r.store.path("uid-of-disk")); err != nil {
		t.Errorf("while there is a claim: %v", err)
	}
	claim, err := r.claim(context.Background(), at)
	r.must(err)
	r.must(r.api.Delete(context.Background(), claim))
	r.look(at)
	if _, err := os.Stat(r.store.folder("uid-of-disk")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("without a claim: %v", err)
	}
}

func TestDownloads(t *testing.T) {
	r, server := readyForUpload(t)
	disk := bytes.Repeat([]byte("disk"), 100<<10)
	r.send(server, "/v1beta1/upload", "", bytes.NewReader(disk))
	r.until(at, in(cdiv1.Succeeded))
	get := func() *httptest.ResponseRecorder {
		request := httptest.NewRequest(http.MethodGet, "http://disk-downloader.default/images/disk.qcow2", nil)
		recorder := httptest.NewRecorder()
		r.Downloads().ServeHTTP(recorder, request)
		return recorder
	}
	if code := get().Code; code != http.StatusNotFound {
		t.Errorf("without a deployment: %d", code)
	}
	deployment := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{
		Namespace: "default", Name: "disk-downloader", CreationTimestamp: metav1.NewTime(time.Now().Add(-time.Minute)),
		OwnerReferences: []metav1.OwnerReference{{APIVersion: "harvesterhci.io/v1beta1", Kind: "VirtualMachineImageDownloader"}},
	}}
	r.must(r.api.Create(context.Background(), deployment))
	_, err := r.reconcileDownloader(context.Background(), reconcile.Request{NamespacedName: client.ObjectKeyFromObject(deployment)})
	r.must(err)
	r.must(r.api.Get(context.Background(), client.ObjectKeyFromObject(deployment), deployment))
	if deployment.Status.ReadyReplicas != 1 {
		t.Errorf("deployment %+v", deployment.Status)
	}
	file := bytes.NewReader(get().Body.Bytes())
	header, err := qcow2.ReadHeader(file)
	r.must(err)
	read, err := qcow2.NewReader(file, *header)
	r.must(err)
	got, err := io.ReadAll(read)
	if err != nil || len(got) != claimSize || !bytes.Equal(got[:len(disk)], disk) {
		t.Errorf("%d bytes, error %v", len(got), err)
	}
}

func TestTokens(t *testing.T) {
	r := newRig(t)
	recorder := httptest.NewRecorder()
	body := strings.NewReader(`{"apiVersion":"upload.cdi.kubevirt.io/v1beta1","kind":"UploadTokenRequest","metadata":{"name":"x"},"spec":{"pvcName":"disk"}}`)
	r.Tokens().ServeHTTP(recorder, httptest.NewRequest(http.MethodPost, TokenPath+"/v1beta1/namespaces/default/uploadtokenrequests", body))
	_, after, _ := strings.Cut(recorder.Body.String(), `"token":"`)
	token, _, _ := strings.Cut(after, `"`)
	if claim, err := r.claimOfToken(token); err != nil || claim != at {
		t.Errorf("%v, %v: %s", claim, err, recorder.Body)
	}
}

func TestFinishedClaimNeedsNoPod(t *testing.T) {
	r := started(t, uploadSource())
	claim, err := r.claim(context.Background(), at)
	r.must(err)
	claim.Annotations[cc.AnnPodPhase] = string(corev1.PodSucceeded)
	r.must(r.api.Update(context.Background(), claim))
	if phase := r.look(at).Status.Phase; phase != cdiv1.Succeeded || r.podOf(at) != nil {
		t.Errorf("phase %s, pod %v", phase, r.podOf(at))
	}
}
