// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package longhorn

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	lhv1beta2 "github.com/longhorn/longhorn-manager/k8s/pkg/apis/longhorn/v1beta2"
	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/harvester-community/terraform-provider-harvester/internal/sandbox/pace"
)

// review asks the webhook for its opinion.
func review(t *testing.T, l *Longhorn, operation admissionv1.Operation, before, after *lhv1beta2.BackingImage) *admissionv1.AdmissionResponse {
	t.Helper()
	raw := func(image *lhv1beta2.BackingImage) runtime.RawExtension {
		return runtime.RawExtension{Raw: must(json.Marshal(image))}
	}
	body := must(json.Marshal(admissionv1.AdmissionReview{Request: &admissionv1.AdmissionRequest{
		UID: "42", Operation: operation, Name: "image", Object: raw(after), OldObject: raw(before),
	}}))
	answer := httptest.NewRecorder()
	l.Mutator().ServeHTTP(answer, httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(body)))
	var got admissionv1.AdmissionReview
	if err := json.Unmarshal(answer.Body.Bytes(), &got); err != nil || got.Response == nil || got.Response.UID != "42" {
		t.Fatalf("answer %s, error %v", answer.Body, err)
	}
	return got.Response
}

func backingImage(source lhv1beta2.BackingImageDataSourceType, checksum string, parameters map[string]string) *lhv1beta2.BackingImage {
	return &lhv1beta2.BackingImage{
		ObjectMeta: metav1.ObjectMeta{Name: "image"},
		Spec:       lhv1beta2.BackingImageSpec{SourceType: source, Checksum: checksum, SourceParameters: parameters},
	}
}

func TestWebhookFillsIn(t *testing.T) {
	l := must(newWith(Options{Dir: t.TempDir(), Pace: pace.Fast}, fakeAPI()))
	got := review(t, l, admissionv1.Create, nil, backingImage(lhv1beta2.BackingImageDataSourceTypeUpload, " "+strings.Repeat("a", 128), nil))
	if !got.Allowed {
		t.Fatalf("refused: %v", got.Result)
	}
	for _, want := range []string{
		`"path":"/metadata/finalizers","value":["longhorn.io"]`, `"path":"/spec/dataEngine","value":"v1"`,
		`"path":"/spec/minNumberOfCopies","value":1`, `"path":"/spec/checksum","value":"aaa`, `"path":"/spec/diskFileSpecMap","value":{}`,
	} {
		if !strings.Contains(string(got.Patch), want) {
			t.Errorf("patch %s lacks %s", got.Patch, want)
		}
	}
	if strings.Contains(string(got.Patch), "null") {
		t.Errorf("patch %s has null, which the API refuses", got.Patch)
	}
}

func TestWebhookRefuses(t *testing.T) {
	l := must(newWith(Options{Dir: t.TempDir(), Pace: pace.Fast}, fakeAPI()))
	for _, name := range []string{"plain", "locked"} {
		source := &lhv1beta2.BackingImage{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: Namespace}}
		if name == "locked" {
			source.Spec.Secret = "right"
		}
		if err := l.api.Create(context.Background(), source); err != nil {
			t.Fatal(err)
		}
	}
	clone := func(from, operation, secret string) *lhv1beta2.BackingImage {
		return backingImage(lhv1beta2.BackingImageDataSourceTypeClone, "", map[string]string{
			lhv1beta2.DataSourceTypeCloneParameterBackingImage: from, lhv1beta2.DataSourceTypeCloneParameterEncryption: operation,
			lhv1beta2.DataSourceTypeCloneParameterSecret: secret, lhv1beta2.DataSourceTypeCloneParameterSecretNamespace: "default",
		})
	}
	download, export := lhv1beta2.BackingImageDataSourceTypeDownload, lhv1beta2.BackingImageDataSourceTypeExportFromVolume
	for want, image := range map[string]*lhv1beta2.BackingImage{
		"invalid checksum nothex":                                       backingImage(lhv1beta2.BackingImageDataSourceTypeUpload, "nothex", nil),
		"invalid parameter map[] for source type download":              backingImage(download, "", nil),
		"invalid parameter map[export-type:raw] for source type export": backingImage(export, "", nil),
		"failed to get volume vol before exporting backing image":       backingImage(export, "", map[string]string{"volume-name": "vol"}),
		"for source type clone":                                         clone("nope", encrypt, "right"),
		"cannot re-encrypt the backing image, locked is already":        clone("locked", encrypt, "right"),
		"cannot re-decrypt the backing image, plain is already":         clone("plain", decrypt, "right"),
		"failed to get the secret missing in the namespace default":     clone("plain", encrypt, "missing"),
		"secret is not provided for encryption or decryption":           clone("plain", encrypt, ""),
		"encryption turn is not supported":                              clone("plain", "turn", "right"),
	} {
		got := review(t, l, admissionv1.Create, nil, image)
		if got.Allowed || !strings.Contains(got.Result.Message, want) || got.Result.Code != http.StatusUnprocessableEntity {
			t.Errorf("%q: allowed %v, %v", want, got.Allowed, got.Result)
		}
	}
	if got := review(t, l, admissionv1.Create, nil, clone("plain", encrypt, "right")); !got.Allowed {
		t.Errorf("encrypt: %v", got.Result)
	}
}

func TestWebhookOnChangeAndDelete(t *testing.T) {
	l := must(newWith(Options{Dir: t.TempDir(), Pace: pace.Fast}, fakeAPI()))
	before := backingImage(lhv1beta2.BackingImageDataSourceTypeUpload, "", nil)
	before.Spec.Secret = "right"
	after := before.DeepCopy()
	if got := review(t, l, admissionv1.Update, before, after); !got.Allowed {
		t.Errorf("no change: %v", got.Result)
	}
	after.Spec.Secret = "wrong"
	if got := review(t, l, admissionv1.Update, before, after); got.Allowed {
		t.Error("the secret could be changed")
	}
	if got := review(t, l, admissionv1.Delete, before, nil); !got.Allowed {
		t.Errorf("delete: %v", got.Result)
	}
	volume := &lhv1beta2.Volume{ObjectMeta: metav1.ObjectMeta{Name: "vol", Namespace: Namespace}, Spec: lhv1beta2.VolumeSpec{BackingImage: "image"}}
	if err := l.api.Create(context.Background(), volume); err != nil {
		t.Fatal(err)
	}
	got := review(t, l, admissionv1.Delete, before, nil)
	if got.Allowed || got.Result.Message != "cannot delete backing image image since there are replicas using it" {
		t.Errorf("delete of a used image: %v", got.Result)
	}
}
