// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package longhorn

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"

	lhv1beta2 "github.com/longhorn/longhorn-manager/k8s/pkg/apis/longhorn/v1beta2"
)

// What a clone does to the bytes.
const (
	encrypt = "encrypt"
	decrypt = "decrypt"
	ignore  = "ignore"
)

// outside reaches every address that the machine does. Go's default transport, which Harvester uses, does not.
var outside = &http.Client{Transport: http.DefaultTransport.(*http.Transport).Clone()}

// importer returns how the bytes of a type of image are fetched, nil if they are sent instead.
func (l *Longhorn) importer(source lhv1beta2.BackingImageDataSourceType) func(context.Context, *pod) error {
	switch source {
	case lhv1beta2.BackingImageDataSourceTypeUpload:
		return nil
	case lhv1beta2.BackingImageDataSourceTypeDownload:
		return download
	case lhv1beta2.BackingImageDataSourceTypeClone:
		return l.clone
	case lhv1beta2.BackingImageDataSourceTypeExportFromVolume:
		return l.export
	case lhv1beta2.BackingImageDataSourceTypeRestore:
		return restore
	}
	return func(context.Context, *pod) error { return fmt.Errorf("unknown data source type: %v", source) }
}

// fetch copies the bytes of an import. size is how many there will be, 0 if nobody knows.
func (p *pod) fetch(ctx context.Context, size int64, open func(context.Context) (io.ReadCloser, error)) error {
	file, err := p.store.create(p.name, p.uuid)
	if err != nil {
		return err
	}
	defer file.Close()
	p.expect(size)
	err = p.transfer().run(ctx, open, file)
	return err
}

// download imports from the URL of the parameters.
func download(ctx context.Context, p *pod) error {
	from := p.parameters[lhv1beta2.DataSourceTypeDownloadParameterURL]
	if from == "" {
		return errors.New("no URL for file downloading")
	}
	headCtx, cancel := context.WithTimeout(ctx, p.idle)
	defer cancel()
	head, err := ask(headCtx, http.MethodHead, from)
	if err != nil {
		return err
	}
	head.Body.Close()
	return p.fetch(ctx, max(head.ContentLength, 0), func(ctx context.Context) (io.ReadCloser, error) {
		answer, err := ask(ctx, http.MethodGet, from)
		if err != nil {
			return nil, err
		}
		return answer.Body, nil
	})
}

func ask(ctx context.Context, method, from string) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, method, from, nil)
	if err != nil {
		return nil, err
	}
	answer, err := outside.Do(request)
	if err != nil {
		return nil, err
	}
	if answer.StatusCode != http.StatusOK {
		answer.Body.Close()
		return nil, fmt.Errorf("expected status code 200 from %s, got %s", from, answer.Status)
	}
	return answer, nil
}

// clone imports another backing image, and encrypts or decrypts it on the way.
func (l *Longhorn) clone(ctx context.Context, p *pod) error {
	name := p.parameters[lhv1beta2.DataSourceTypeCloneParameterBackingImage]
	source, err := l.image(ctx, name)
	if err != nil {
		return err
	}
	path := l.store.path(source.Name, source.Status.UUID)
	if _, finished := l.store.meta(source.Name, source.Status.UUID); !finished {
		return fmt.Errorf("failed to prepare source file: source file %v not found", path)
	}
	passphrase, err := l.passphrase(ctx, p.parameters)
	if err != nil {
		return err
	}
	bytes, size, err := convert(path, p.parameters[lhv1beta2.DataSourceTypeCloneParameterEncryption], passphrase)
	if err != nil {
		return err
	}
	return p.fetch(ctx, size, func(context.Context) (io.ReadCloser, error) { return bytes, nil })
}

// convert opens a file for a clone and says how many bytes that will give.
func convert(path, operation, passphrase string) (bytes io.ReadCloser, size int64, err error) {
	switch operation {
	case encrypt:
		raw, size, err := openRaw(path)
		if err != nil {
			return nil, 0, fmt.Errorf("failed to prepare source file: %w", err)
		}
		encrypted, err := encrypting(raw, passphrase)
		return readCloser{encrypted, raw}, size + headerSize, err
	case decrypt:
		file, size, err := openPlain(path)
		if err != nil {
			return nil, 0, fmt.Errorf("failed to open clone source file: %w", err)
		}
		decrypted, err := decrypting(file, passphrase)
		if err != nil {
			file.Close()
			return nil, 0, fmt.Errorf("failed to open clone source file: failed to setup the crypto device with the file %v during cloning: %w", path, err)
		}
		return readCloser{decrypted, file}, size - headerSize, nil
	case ignore, "":
		return openPlain(path)
	}
	return nil, 0, fmt.Errorf("encryption operation %v is not specified", operation)
}

// passphrase reads the secret of a clone that needs one.
func (l *Longhorn) passphrase(ctx context.Context, parameters map[string]string) (string, error) {
	operation := parameters[lhv1beta2.DataSourceTypeCloneParameterEncryption]
	if operation != encrypt && operation != decrypt {
		return "", nil
	}
	name, namespace := parameters[lhv1beta2.DataSourceTypeCloneParameterSecret], parameters[lhv1beta2.DataSourceTypeCloneParameterSecretNamespace]
	if name == "" || namespace == "" {
		return "", errors.New("secret is not provided for encrypt or decrypt")
	}
	secret, err := l.secret(ctx, namespace, name)
	if err != nil {
		return "", err
	}
	if provider := string(secret.Data["CRYPTO_KEY_PROVIDER"]); provider != "" && provider != "secret" {
		return "", fmt.Errorf("unsupported key provider %v for encryption", provider)
	}
	if len(secret.Data["CRYPTO_KEY_VALUE"]) == 0 {
		return "", errors.New("missing passphrase for encryption")
	}
	return string(secret.Data["CRYPTO_KEY_VALUE"]), nil
}

// export imports the bytes of a volume. No virtual machine ever writes here, so they are those that CDI has written, or
// those of the image the volume was made from, and zeros to the end of it.
func (l *Longhorn) export(ctx context.Context, p *pod) error {
	volume, err := l.volume(ctx, p.parameters[lhv1beta2.DataSourceTypeExportFromVolumeParameterVolumeName])
	if err != nil {
		return err
	}
	bytes, err := l.openVolume(ctx, volume)
	if err != nil {
		return err
	}
	return p.fetch(ctx, volume.Spec.Size, func(context.Context) (io.ReadCloser, error) { return bytes, nil })
}

// Disk opens the disk of a volume.
func (l *Longhorn) Disk(ctx context.Context, name string) (io.ReadCloser, error) {
	volume, err := l.volume(ctx, name)
	if err != nil {
		return nil, err
	}
	return l.openVolume(ctx, volume)
}

// openVolume opens the disk of a volume: what somebody has written to it, or what it holds from the start.
func (l *Longhorn) openVolume(ctx context.Context, volume *lhv1beta2.Volume) (io.ReadCloser, error) {
	start, err := l.written(volume.Name)
	if errors.Is(err, os.ErrNotExist) {
		start, err = l.openBase(ctx, volume.Spec.BackingImage)
	}
	if err != nil {
		return nil, err
	}
	return readCloser{io.LimitReader(io.MultiReader(start, zeroReader{}), volume.Spec.Size), start}, nil
}

// openBase opens what a volume holds from the start.
func (l *Longhorn) openBase(ctx context.Context, backingImage string) (io.ReadCloser, error) {
	if backingImage == "" {
		return http.NoBody, nil
	}
	image, err := l.image(ctx, backingImage)
	if err != nil {
		return nil, err
	}
	base, _, err := openRaw(l.store.path(image.Name, image.Status.UUID))
	return base, err
}

// restore imports a backup from the directory of backups.
func restore(ctx context.Context, p *pod) error {
	backup, err := url.Parse(p.parameters[lhv1beta2.DataSourceTypeRestoreParameterBackupURL])
	if err != nil {
		return fmt.Errorf("failed to check the type for backup: %w", err)
	}
	name := backup.Query().Get("backingImage")
	if name == "" || name != filepath.Base(name) {
		return fmt.Errorf("invalid name parsed, got %q", name)
	}
	file, size, err := openPlain(p.store.backupPath(name))
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("cannot find backupstore/backing-images/%s/backup_backing_image.cfg in backupstore", name)
	}
	if err != nil {
		return err
	}
	return p.fetch(ctx, size, func(context.Context) (io.ReadCloser, error) { return file, nil })
}

// openPlain opens a file as it is.
func openPlain(path string) (*os.File, int64, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, 0, err
	}
	info, err := file.Stat()
	if err != nil {
		file.Close()
		return nil, 0, err
	}
	return file, info.Size(), nil
}

// readCloser reads from one thing and closes another, which it comes from.
type readCloser struct {
	io.Reader
	io.Closer
}

// zeroReader is an endless blank disk.
type zeroReader struct{}

func (zeroReader) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
