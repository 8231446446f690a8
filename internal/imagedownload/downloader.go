// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package imagedownload

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-log/tflog"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/diagnose"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
	"github.com/harvester-community/terraform-provider-harvester/internal/objects"
	"github.com/harvester-community/terraform-provider-harvester/internal/session"
	"github.com/harvester-community/terraform-provider-harvester/internal/transfer"
	"github.com/harvester-community/terraform-provider-harvester/internal/wait"
)

// errGone says that the downloader vanished before it could be used.
var errGone = errors.New("the VirtualMachineImageDownloader was deleted by someone else")

// throughDownloader downloads an image of the backend cdi. There is one downloader
// for an image, and it serves once, so downloads of one image take turns.
func (f *fetcher) throughDownloader(ctx context.Context) (*transfer.Received, error) {
	release, err := f.resource.Session.Downloads.Take(ctx, session.ImageID(f.id()))
	if err != nil {
		return nil, err
	}
	defer release()
	if err := f.othersEnd(ctx); err != nil {
		return nil, err
	}
	downloader, finish, diags := f.creation().Run(ctx)
	defer finish()
	if diags.HasError() {
		return nil, &objects.DescribedError{Diagnostics: diags}
	}
	var received *transfer.Received
	if err = f.prepared(ctx, downloader); err == nil {
		received, err = f.download.Receive(ctx, f.resource.Session.Client.Transfers())
	}
	f.finish(ctx, downloader, err == nil)
	return received, err
}

// creation makes the downloader, or takes over the one that a run that was killed left behind. One
// that was made for an earlier image of the name holds that one's data, so it goes.
func (f *fetcher) creation() objects.Creation[*api.VirtualMachineImageDownloader] {
	wanted := &api.VirtualMachineImageDownloader{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: f.image.Namespace, Name: f.image.Name, Annotations: map[string]string{api.AnnotationOrigin: string(f.image.UID)},
		},
		Spec: api.ImageDownloaderSpec{ImageName: f.image.Name},
	}
	creation := objects.Creating(f.resource.Session.Hub, f.resource.downloaders, f.title(), wanted)
	creation.Left, creation.Temporary = "No file was made.", true
	creation.Foreign = objects.Foreign{One: "a download of the image", ID: f.id(), Short: "download"}
	creation.TakeOver = func(ctx context.Context, existing *api.VirtualMachineImageDownloader) (*api.VirtualMachineImageDownloader, error) {
		if existing.Annotations[api.AnnotationOrigin] == string(f.image.UID) {
			return existing, nil
		}
		if err := f.delete(ctx, existing); err != nil {
			return nil, err
		}
		if err := f.untilGone(ctx, existing); err != nil {
			return nil, err
		}
		return nil, apierrors.NewNotFound(api.ImageDownloaders.GroupResource(), existing.Name)
	}
	return creation
}

func (f *fetcher) title() string { return fmt.Sprintf("download of the image %q", f.id()) }

// othersEnd waits until somebody else's download of the image is over: it serves once, and is theirs.
func (f *fetcher) othersEnd(ctx context.Context) error {
	there, err := f.resource.downloaders.Get(ctx, f.image.Namespace, f.image.Name)
	switch {
	case apierrors.IsNotFound(err), err == nil && objects.Abandoned(there):
		return nil
	case err != nil:
		return err
	}
	tflog.Info(ctx, "Waiting for the end of another download of the image", f.about())
	_, err = f.resource.Session.Hub.Until(ctx, target(there), func(object *unstructured.Unstructured) (wait.Progress, error) {
		if object == nil {
			return wait.Progress{Done: true}, nil
		}
		now, err := kube.Decode[api.VirtualMachineImageDownloader](object)
		if err != nil {
			return wait.Progress{}, err
		}
		return wait.Progress{Message: describe(now)}, nil
	}, wait.Options{Stall: f.download.Stall})
	if stalled := (*wait.TimeoutError)(nil); errors.As(err, &stalled) && stalled.Stalled > 0 {
		return &objects.DescribedError{Diagnostics: diag.Diagnostics{diag.NewAttributeErrorDiagnostic(path.Root("image"), "Image is being downloaded by others", fmt.Sprintf(
			"Somebody else has asked for a download of the image %q (a VirtualMachineImageDownloader of that name, made %s), and Harvester serves one at a time. "+
				"Nothing about it changed for %s. It was left as it is, and no file was made.\n\n"+
				"Apply again when that download is over. If nobody is waiting for it, cancel it: kubectl -n %s delete virtualmachineimagedownloader %s",
			f.id(), there.CreationTimestamp.UTC().Format(time.RFC3339), f.download.Stall, there.Namespace, there.Name))}}
	}
	return err
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
// a broken one.
func (f *fetcher) finish(ctx context.Context, downloader *api.VirtualMachineImageDownloader, used bool) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleaning)
	defer cancel()
	if used && f.untilGone(ctx, downloader) == nil {
		return
	}
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), cleaning)
	defer stop()
	if err := f.delete(ctx, downloader); err != nil {
		tflog.Warn(ctx, "The downloader of the image may have been left behind", map[string]any{"image": f.id(), "cause": diagnose.Said(err)})
	}
}

// delete removes this very downloader. Who may not delete it can still tell Harvester that nobody
// downloads the image any more, which goes by the name.
func (f *fetcher) delete(ctx context.Context, downloader *api.VirtualMachineImageDownloader) error {
	err := f.resource.downloaders.Delete(ctx, downloader.Namespace, downloader.Name, downloader.UID)
	if apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		return nil
	}
	if !apierrors.IsForbidden(err) {
		return err
	}
	there, err := f.resource.downloaders.Get(ctx, downloader.Namespace, downloader.Name)
	switch {
	case apierrors.IsNotFound(err), err == nil && there.UID != downloader.UID:
		return nil
	case err != nil:
		return err
	}
	return f.cancel(ctx)
}

func (f *fetcher) untilGone(ctx context.Context, downloader *api.VirtualMachineImageDownloader) error {
	return f.resource.Session.Hub.UntilGone(ctx, target(downloader), func(*unstructured.Unstructured) string {
		return "an earlier download of the image is being cleaned up"
	})
}

// cancel tells Harvester that nobody downloads the image any more.
func (f *fetcher) cancel(ctx context.Context) error {
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
