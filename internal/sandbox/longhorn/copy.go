// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package longhorn

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

const bufferSize = 64 << 10

var zeros = make([]byte, bufferSize)

// errCancelled is what Longhorn makes of a source that has sent nothing for too long.
var errCancelled = errors.New("context cancelled during the copy")

// transfer is one copy of bytes into the file of an import.
type transfer struct {
	idle    time.Duration
	held    func() bool // while it says true, a silent source is not given up
	advance func(n int64)
}

// run copies source to the end. It gives source a context that ends when source has been silent for too long. A source
// that does not watch it, as the body of an upload, is found silent only when its next bytes come, as in Longhorn.
func (t transfer) run(ctx context.Context, open func(context.Context) (io.ReadCloser, error), file *os.File) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	source, err := open(ctx)
	if err != nil {
		return err
	}
	defer source.Close()

	watch := t.watch(cancel)
	defer watch.Stop()
	if err := t.copy(ctx, source, file, watch); err != nil {
		return fmt.Errorf("failed to copy the data with timeout: %w", err)
	}
	return nil
}

func (t transfer) copy(ctx context.Context, source io.Reader, file *os.File, watch *time.Timer) error {
	var copied int64
	buffer := make([]byte, bufferSize)
	for {
		if ctx.Err() != nil {
			return errCancelled
		}
		n, readErr := source.Read(buffer)
		if n > 0 {
			if err := writeSparse(file, buffer[:n]); err != nil {
				return err
			}
			watch.Reset(t.idle)
			copied += int64(n)
			t.advance(int64(n))
		}
		if readErr == io.EOF {
			// A hole at the end has not made the file longer yet.
			return file.Truncate(copied)
		}
		if readErr != nil {
			return readErr
		}
	}
}

// writeSparse leaves a hole where there is nothing to write but zeros.
func writeSparse(file *os.File, data []byte) error {
	if bytes.Equal(data, zeros[:len(data)]) {
		_, err := file.Seek(int64(len(data)), io.SeekCurrent)
		return err
	}
	_, err := file.Write(data)
	return err
}

// watch calls cancel after a silence of t.idle. The caller resets it whenever bytes come.
func (t transfer) watch(cancel func()) *time.Timer {
	ready := make(chan struct{})
	var timer *time.Timer
	timer = time.AfterFunc(t.idle, func() {
		<-ready
		if t.held() {
			timer.Reset(t.idle)
			return
		}
		cancel()
	})
	close(ready)
	return timer
}
