// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package longhorn

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"

	lhv1beta2 "github.com/longhorn/longhorn-manager/k8s/pkg/apis/longhorn/v1beta2"
	admissionv1 "k8s.io/api/admission/v1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

var (
	validName     = regexp.MustCompile(`^[a-z0-9][a-z0-9_.-]+$`)
	validChecksum = regexp.MustCompile(`^[a-f0-9]{128}$`)
)

// Webhook registers Mutator, served at url with a certificate of ca.
//
// Longhorn has two webhooks for backing images, one that changes them and one that refuses them. This one does both, and
// has the name of the second, so that a refusal reads as in life: admission webhook "validator.longhorn.io" denied the
// request: ....
func (l *Longhorn) Webhook(url string, ca []byte) *admissionregistrationv1.MutatingWebhookConfiguration {
	fail, none, scope := admissionregistrationv1.Fail, admissionregistrationv1.SideEffectClassNone, admissionregistrationv1.NamespacedScope
	return &admissionregistrationv1.MutatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: "longhorn-webhook-mutator"},
		Webhooks: []admissionregistrationv1.MutatingWebhook{{
			Name:                    "validator.longhorn.io",
			ClientConfig:            admissionregistrationv1.WebhookClientConfig{URL: &url, CABundle: ca},
			FailurePolicy:           &fail,
			SideEffects:             &none,
			AdmissionReviewVersions: []string{"v1"},
			Rules: []admissionregistrationv1.RuleWithOperations{{
				Operations: []admissionregistrationv1.OperationType{
					admissionregistrationv1.Create, admissionregistrationv1.Update, admissionregistrationv1.Delete,
				},
				Rule: admissionregistrationv1.Rule{
					APIGroups: []string{lhv1beta2.SchemeGroupVersion.Group}, APIVersions: []string{lhv1beta2.SchemeGroupVersion.Version},
					Resources: []string{"backingimages"}, Scope: &scope,
				},
			}},
		}},
	}
}

// Mutator returns the webhook for backing images: it fills in what Longhorn fills in, and refuses what Longhorn refuses,
// such as the deletion of a backing image that volumes use.
func (l *Longhorn) Mutator() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var review admissionv1.AdmissionReview
		if err := json.NewDecoder(r.Body).Decode(&review); err != nil || review.Request == nil {
			http.Error(w, "not an admission review", http.StatusBadRequest)
			return
		}
		review.Response = l.admit(r.Context(), review.Request)
		review.Response.UID, review.Request = review.Request.UID, nil
		w.Header().Set("Content-Type", "application/json")
		// A client that went away needs no answer.
		_ = json.NewEncoder(w).Encode(review)
	})
}

func (l *Longhorn) admit(ctx context.Context, request *admissionv1.AdmissionRequest) *admissionv1.AdmissionResponse {
	patch, err := l.decideAdmission(ctx, request)
	if err != nil {
		return &admissionv1.AdmissionResponse{Result: &metav1.Status{
			Status: metav1.StatusFailure, Code: http.StatusUnprocessableEntity, Reason: metav1.StatusReasonInvalid, Message: err.Error(),
		}}
	}
	response := &admissionv1.AdmissionResponse{Allowed: true}
	if len(patch) > 0 {
		kind := admissionv1.PatchTypeJSONPatch
		response.PatchType, response.Patch = &kind, patch
	}
	return response
}

func (l *Longhorn) decideAdmission(ctx context.Context, request *admissionv1.AdmissionRequest) (patch []byte, err error) {
	if request.Operation == admissionv1.Delete {
		return nil, l.refuseDelete(ctx, request.Name)
	}
	var image, before lhv1beta2.BackingImage
	if err := decodeImage(request.Object, &image); err != nil {
		return nil, err
	}
	if request.Operation == admissionv1.Create {
		defaultImage(&image)
		if err := l.validateImage(ctx, &image); err != nil {
			return nil, err
		}
		return patchOf(&image)
	}
	if err := decodeImage(request.OldObject, &before); err != nil {
		return nil, err
	}
	return nil, refuseChange(&before, &image)
}

func decodeImage(raw runtime.RawExtension, image *lhv1beta2.BackingImage) error {
	if err := json.Unmarshal(raw.Raw, image); err != nil {
		return fmt.Errorf("not a backing image: %w", err)
	}
	return nil
}

// defaultImage fills in what a new backing image may leave out.
func defaultImage(image *lhv1beta2.BackingImage) {
	if !slices.Contains(image.Finalizers, finalizer) {
		image.Finalizers = append(image.Finalizers, finalizer)
	}
	spec := &image.Spec
	spec.DataEngine = cmp.Or(spec.DataEngine, lhv1beta2.DataEngineTypeV1)
	spec.MinNumberOfCopies = cmp.Or(spec.MinNumberOfCopies, 1)
	spec.Checksum = strings.TrimSpace(spec.Checksum)
	if spec.SourceParameters == nil {
		spec.SourceParameters = map[string]string{}
	}
	for key, value := range spec.SourceParameters {
		spec.SourceParameters[key] = strings.TrimSpace(value)
	}
	if spec.Disks == nil {
		spec.Disks = map[string]string{}
	}
	if spec.DiskFileSpecMap == nil {
		spec.DiskFileSpecMap = map[string]*lhv1beta2.BackingImageDiskFileSpec{}
	}
	defaultParameters(spec)
}

func defaultParameters(spec *lhv1beta2.BackingImageSpec) {
	parameters := spec.SourceParameters
	fill := func(key, value string) { parameters[key] = cmp.Or(parameters[key], value) }
	switch spec.SourceType {
	case lhv1beta2.BackingImageDataSourceTypeExportFromVolume:
		fill(lhv1beta2.DataSourceTypeExportParameterExportType, "raw")
	case lhv1beta2.BackingImageDataSourceTypeRestore:
		fill(lhv1beta2.DataSourceTypeRestoreParameterConcurrentLimit, "2")
		fill(lhv1beta2.DataSourceTypeRestoreParameterBackupTargetName, "default")
	case lhv1beta2.BackingImageDataSourceTypeClone:
		fill(lhv1beta2.DataSourceTypeCloneParameterEncryption, ignore)
		if parameters[lhv1beta2.DataSourceTypeCloneParameterEncryption] != ignore {
			// Nobody can know it beforehand.
			spec.Checksum = ""
		}
	}
}

// patchOf replaces what defaultImage may have changed, and no more: the empty fields of a whole object would be null,
// which the API refuses after a webhook, though not before it.
func patchOf(image *lhv1beta2.BackingImage) ([]byte, error) {
	type operation struct {
		Op    string `json:"op"`
		Path  string `json:"path"`
		Value any    `json:"value"`
	}
	return json.Marshal([]operation{
		{"add", "/metadata/finalizers", image.Finalizers},
		{"add", "/spec/dataEngine", image.Spec.DataEngine},
		{"add", "/spec/minNumberOfCopies", image.Spec.MinNumberOfCopies},
		{"add", "/spec/checksum", image.Spec.Checksum},
		{"add", "/spec/sourceParameters", image.Spec.SourceParameters},
		{"add", "/spec/disks", image.Spec.Disks},
		{"add", "/spec/diskFileSpecMap", image.Spec.DiskFileSpecMap},
	})
}

func (l *Longhorn) validateImage(ctx context.Context, image *lhv1beta2.BackingImage) error {
	switch {
	case !validName.MatchString(image.Name):
		return fmt.Errorf("invalid name %v", image.Name)
	case image.Spec.Checksum != "" && !validChecksum.MatchString(image.Spec.Checksum):
		return fmt.Errorf("invalid checksum %v", image.Spec.Checksum)
	}
	parameters := image.Spec.SourceParameters
	invalid := fmt.Errorf("invalid parameter %+v for source type %v", parameters, image.Spec.SourceType)
	switch image.Spec.SourceType {
	case lhv1beta2.BackingImageDataSourceTypeDownload:
		if parameters[lhv1beta2.DataSourceTypeDownloadParameterURL] == "" {
			return invalid
		}
	case lhv1beta2.BackingImageDataSourceTypeExportFromVolume:
		return l.validateExport(ctx, parameters, invalid)
	case lhv1beta2.BackingImageDataSourceTypeClone:
		source, err := l.image(ctx, parameters[lhv1beta2.DataSourceTypeCloneParameterBackingImage])
		if err != nil {
			return invalid
		}
		return l.validateClone(ctx, source, parameters)
	}
	return nil
}

func (l *Longhorn) validateExport(ctx context.Context, parameters map[string]string, invalid error) error {
	name := parameters[lhv1beta2.DataSourceTypeExportFromVolumeParameterVolumeName]
	if name == "" {
		return invalid
	}
	if _, err := l.volume(ctx, name); err != nil {
		return fmt.Errorf("failed to get volume %v before exporting backing image", name)
	}
	if kind := parameters[lhv1beta2.DataSourceTypeExportParameterExportType]; kind != "raw" {
		return fmt.Errorf("unsupported export type %v", kind)
	}
	return nil
}

func (l *Longhorn) validateClone(ctx context.Context, source *lhv1beta2.BackingImage, parameters map[string]string) error {
	operation := parameters[lhv1beta2.DataSourceTypeCloneParameterEncryption]
	secret, namespace := parameters[lhv1beta2.DataSourceTypeCloneParameterSecret], parameters[lhv1beta2.DataSourceTypeCloneParameterSecretNamespace]
	switch {
	case !slices.Contains([]string{encrypt, decrypt, ignore}, operation):
		return fmt.Errorf("encryption %v is not supported", operation)
	case operation == ignore:
		return nil
	case operation == encrypt && source.Spec.Secret != "":
		return fmt.Errorf("cannot re-encrypt the backing image, %v is already encrypted", source.Name)
	case operation == decrypt && source.Spec.Secret == "":
		return fmt.Errorf("cannot re-decrypt the backing image, %v is already decrypted", source.Name)
	case secret == "" || namespace == "":
		return fmt.Errorf("secret is not provided for encryption or decryption during cloneing")
	}
	if _, err := l.secret(ctx, namespace, secret); err != nil {
		return fmt.Errorf("failed to get the secret %v in the namespace %v", secret, namespace)
	}
	return nil
}

func refuseChange(before, after *lhv1beta2.BackingImage) error {
	switch {
	case before.Spec.Secret != "" && before.Spec.Secret != after.Spec.Secret:
		return fmt.Errorf("changing secret for BackingImage %v is not supported", before.Name)
	case before.Spec.SecretNamespace != "" && before.Spec.SecretNamespace != after.Spec.SecretNamespace:
		return fmt.Errorf("changing secret namespace for BackingImage %v is not supported", before.Name)
	case before.Spec.DataEngine != after.Spec.DataEngine:
		return fmt.Errorf("changing data engine for BackingImage %v is not supported", before.Name)
	}
	return nil
}

func (l *Longhorn) refuseDelete(ctx context.Context, name string) error {
	used, err := l.inUse(ctx, name)
	if err != nil {
		return fmt.Errorf("cannot delete backing image %v since the error %w", name, err)
	}
	if used {
		return fmt.Errorf("cannot delete backing image %v since there are replicas using it", name)
	}
	return nil
}
