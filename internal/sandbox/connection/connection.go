// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

// Package connection ends the connections of clients whose server went away, where that server is only simulated.
package connection

import (
	"context"
	"net/http"
	"time"
)

// EndWith ends the connection of a request when ctx does: what is left of its body cannot be read any more. The handler calls
// stop before it answers. An answer after the end of ctx is the last on its connection, because the contexts of
// all requests that came after it would have ended as well: net/http takes a read that fails for a client that has gone.
func EndWith(ctx context.Context, w http.ResponseWriter) (stop func()) {
	keep := context.AfterFunc(ctx, func() { _ = http.NewResponseController(w).SetReadDeadline(time.Now()) })
	return func() {
		if !keep() {
			w.Header().Set("Connection", "close")
		}
	}
}
