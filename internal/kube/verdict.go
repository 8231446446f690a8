// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package kube

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/harvester-community/terraform-provider-harvester/internal/transport"
	"github.com/harvester-community/terraform-provider-harvester/internal/wait"
)

// tries is how often a request is sent at most.
const tries = 5

// Retry sends a request again while it fails on its way, or in a server in trouble. An earlier
// one may have taken effect all the same.
func Retry[T any](ctx context.Context, request func(context.Context) (T, error)) (T, error) {
	return retry(ctx, Transient, request)
}

func retry[T any](ctx context.Context, passes func(error) bool, request func(context.Context) (T, error)) (T, error) {
	for try := 1; ; try++ {
		answer, err := request(ctx)
		if try == tries || !passes(err) || ctx.Err() != nil {
			return answer, err
		}
		wait.Pause(ctx, time.Second<<try)
	}
}

// Denied says that an admission webhook has judged the request and refused it. That is final whatever the
// HTTP status: Harvester's own answer 500 as well. The words are those of kube-apiserver
// (k8s.io/apiserver/pkg/admission/plugin/webhook/errors); a webhook that cannot be called is
// "failed calling webhook" there, which is trouble that passes.
func Denied(err error) bool { return err != nil && strings.Contains(err.Error(), "denied the request") }

// Transient says that a request failed on its way or in a server in trouble, so
// that the same request may succeed later. Whether it took effect is then unknown.
func Transient(err error) bool {
	if Denied(err) || transport.Final(err) || errors.As(err, new(*AnswerError)) {
		return false
	}
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		return err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded)
	}
	code := status.Status().Code
	return code == http.StatusTooManyRequests || code >= http.StatusInternalServerError
}

// unheeded says that a server in trouble has answered that it did not carry out the request.
func unheeded(err error) bool {
	return Answered(err) && Transient(err)
}

// Answered says that the server has answered with an error of its own. After any other error nothing is known of it.
func Answered(err error) bool {
	var status apierrors.APIStatus
	return errors.As(err, &status)
}

// Rejected says that the server has answered that it did not carry out the request, and will not: a refusal, a conflict,
// nothing there. After any other error the request may have taken effect, or may yet.
func Rejected(err error) bool {
	return Answered(err) && !Transient(err)
}

// Refused says that a webhook, a quota or the API judged the object; everything else is
// trouble on the way.
func Refused(err error) bool {
	return Denied(err) || apierrors.IsInvalid(err) || apierrors.IsBadRequest(err) || err != nil && strings.Contains(err.Error(), "exceeded quota")
}

// Overtaken says that a message, in the status of an object, is that of a controller whose change met a newer version of
// what it wanted to change. It tries again by itself. The words are kube-apiserver's (k8s.io/apiserver, registry.OptimisticLockErrorMsg).
func Overtaken(message string) bool {
	return strings.Contains(message, "the object has been modified; please apply your changes to the latest version")
}

// Unserved says that the API does not know the kind at all, as without the add-on that brings it. It is a NotFound, but not of
// the object.
func Unserved(err error) bool {
	var status apierrors.APIStatus
	if !apierrors.IsNotFound(err) || !errors.As(err, &status) || status.Status().Details == nil {
		return false
	}
	return slices.ContainsFunc(status.Status().Details.Causes, func(cause metav1.StatusCause) bool {
		return cause.Type == metav1.CauseTypeUnexpectedServerResponse
	})
}
