// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package wait

import (
	"context"
	"time"
)

// Pause waits a moment, or less if the context ends. It is for what no watch shows, such
// as a server that comes back.
func Pause(ctx context.Context, moment time.Duration) {
	timer := time.NewTimer(moment)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// Afterwards is a little time of its own, to look around after the time was up or the run was interrupted.
func Afterwards(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), 20*time.Second)
}
