// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package kube

import (
	"maps"

	"github.com/harvester-community/terraform-provider-harvester/internal/redact"
)

// legible returns an object with its messages fit to be shown, in a state, a diagnostic or a log. They
// repeat what a server somewhere answered, and URLs with their passwords. These are the messages
// and reasons in the status, such as those of conditions, and those of an event. What the
// user wrote, which is the rest, stays byte for byte. The object itself is not changed.
func legible(object map[string]any) map[string]any {
	shown := messages(object)
	if status, changed := legibleStatus(object["status"]); changed {
		shown = with(shown, object, "status", status)
	}
	if shown == nil {
		return object
	}
	return shown
}

// legibleStatus walks through all that is below a status.
func legibleStatus(value any) (shown any, changed bool) {
	switch value := value.(type) {
	case map[string]any:
		copied := messages(value)
		for key, inner := range value {
			if now, changed := legibleStatus(inner); changed {
				copied = with(copied, value, key, now)
			}
		}
		return copied, copied != nil
	case []any:
		var copied []any
		for i, inner := range value {
			if now, changed := legibleStatus(inner); changed {
				if copied == nil {
					copied = append(copied, value...)
				}
				copied[i] = now
			}
		}
		return copied, copied != nil
	}
	return nil, false
}

// messages returns a copy with the messages of this level redacted; nil if there is nothing to hide.
func messages(object map[string]any) (copied map[string]any) {
	for _, key := range []string{"message", "reason"} {
		if text, ok := object[key].(string); ok {
			if now := redact.Text(text); now != text {
				copied = with(copied, object, key, now)
			}
		}
	}
	return copied
}

// with sets a key in the copy of an object, which is made if there is none yet.
func with(copied, object map[string]any, key string, value any) map[string]any {
	if copied == nil {
		copied = maps.Clone(object)
	}
	copied[key] = value
	return copied
}
