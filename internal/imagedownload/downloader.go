// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package imagedownload

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/hashicorp/terraform-plugin-log/tflog"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/diagnose"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
	"github.com/harvester-community/terraform-provider-harvester/internal/transfer"
	"github.com/harvester-community/terraform-provider-harvester/internal/wait"
)

// errGone says that the downloader vanished before it could be used.
var errGone = errors.New("the VirtualMachineImageDownloader was deleted by someone else")

// throughDownloader downloads an image of the backend cdi. There is one downloader
// for an image, and it serves once, so downloads of one image take turns.
func (f *fetcher) throughDownloader(ctx context.Context) (*transfer.Received, error) {
	release, err := f.resource.Session.CloneTurn(ctx, "download of "+f.id())
	if err != nil {
		return nil, err
	}
	defer release()
	downloader, err := f.downloader(ctx)
	if err != nil {
		return nil, err
	}
	var received *transfer.Received
	if err = f.prepared(ctx, downloader); err == nil {
		received, err = f.download.Receive(ctx, f.resource.Session.Client.Transfers())
	}
	f.finish(ctx, downloader, err == nil)
	return received, err
}

// downloader makes the object, or takes the one that a run that was killed left behind.
func (f *fetcher) downloader(ctx context.Context) (*api.VirtualMachineImageDownloader, error) {
	wanted := &api.VirtualMachineImageDownloader{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: f.image.Namespace, Name: f.image.Name, Annotations: map[string]string{api.AnnotationOrigin: string(f.image.UID)},
		},
		Spec: api.ImageDownloaderSpec{ImageName: f.image.Name},
	}
	for {
		made, err := f.resource.downloaders.Create(ctx, wanted.Namespace, wanted)
		if !apierrors.IsAlreadyExists(err) {
			return made, err
		}
		there, err := f.resource.downloaders.Get(ctx, wanted.Namespace, wanted.Name)
		switch {
		case err == nil && there.DeletionTimestamp != nil:
			err = f.untilGone(ctx, there)
		case err == nil:
			return there, nil
		}
		if err != nil && !apierrors.IsNotFound(err) {
			return nil, err
		}
	}
}

// prepared waits until Harvester has converted the disk. It shows no progress meanwhile, so
// there is no stall clock but the limit of the whole.
func (f *fetcher) prepared(ctx context.Context, downloader *api.VirtualMachineImageDownloader) error {
	_, err := f.resource.Session.Hub.Until(ctx, target(downloader), func(object *unstructured.Unstructured) (wait.Progress, error) {
		if object == nil || object.GetDeletionTimestamp() != nil {
			return wait.Progress{}, errGone
		}
		now, err := kube.Decode[api.VirtualMachineImageDownloader](object)
		if err != nil {
			return wait.Progress{}, err
		}
		return wait.Progress{Done: now.Status.Status == api.ImageDownloaderReady, Message: describe(now)}, nil
	}, wait.Options{OnChange: func(message string) {
		tflog.Info(ctx, "The image is being prepared for its download: "+message, f.about())
	}})
	return err
}

func target(downloader *api.VirtualMachineImageDownloader) wait.Target {
	return wait.Target{Resource: api.ImageDownloaders, Namespace: downloader.Namespace, Name: downloader.Name, UID: downloader.UID}
}

// cleaning is how long it may take to clean up.
const cleaning = 5 * time.Second

// finish sees to it that the downloader goes. Harvester deletes it after a transfer, also
// a broken one. Somebody else's is left alone if it was not used to the end.
func (f *fetcher) finish(ctx context.Context, downloader *api.VirtualMachineImageDownloader, used bool) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleaning)
	defer cancel()
	ours := downloader.Annotations[api.AnnotationOrigin] != ""
	if used && f.untilGone(ctx, downloader) == nil || !ours {
		return
	}
	if err := f.cancel(context.WithoutCancel(ctx)); err != nil {
		tflog.Warn(ctx, "The downloader of the image may have been left behind", map[string]any{"image": f.id(), "cause": diagnose.Said(err)})
	}
}

func (f *fetcher) untilGone(ctx context.Context, downloader *api.VirtualMachineImageDownloader) error {
	return f.resource.Session.Hub.UntilGone(ctx, target(downloader), func(*unstructured.Unstructured) string {
		return "an earlier download of the image is being cleaned up"
	})
}

// cancel tells Harvester that nobody downloads the image any more.
func (f *fetcher) cancel(ctx context.Context) error {
	ctx, stop := context.WithTimeout(ctx, cleaning)
	defer stop()
	client := f.resource.Session.Client
	address := client.ImageURL(f.image.Namespace, f.image.Name).JoinPath("downloadcancel")
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address.String(), nil)
	if err != nil {
		return err
	}
	response, err := client.Transfers().Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode >= http.StatusMultipleChoices {
		return fmt.Errorf("the server answered %s", response.Status)
	}
	return nil
}

// describe says what a downloader is doing, for the log and for timeouts.
func describe(downloader *api.VirtualMachineImageDownloader) string {
	text := downloader.Status.Status
	for _, condition := range downloader.Status.Conditions {
		if condition.Message != "" {
			text = condition.Message
		}
	}
	if text == "" {
		return "waiting for Harvester to begin"
	}
	return text
}
