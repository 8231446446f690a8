// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package objects

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"strings"
	"sync"
)

// maker is a process that creates objects.
type maker struct {
	// Host is the name of its machine, for people.
	Host string `json:"host"`
	// Machine is the same for processes that see one another, and for no others: two containers
	// of one host have different ones.
	Machine string `json:"machine"`
	// Process is its number. As numbers come again, Started tells it from an earlier one.
	Process int    `json:"process"`
	Started string `json:"started,omitempty"`
}

// self is this process.
var self = sync.OnceValue(func() maker {
	host, _ := os.Hostname() // without a name only the signs of life count
	return maker{Host: host, Machine: machine(host), Process: os.Getpid(), Started: started(os.Getpid())}
})

// machine is the fingerprint of what tells this machine from others; "" where that is not known.
func machine(host string) string {
	facts := machineFacts()
	if facts == "" || host == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(host + "\n" + facts))
	return hex.EncodeToString(sum[:8])
}

// running says that a maker on this machine still runs. In doubt it does.
func running(m maker) bool {
	if !present(m.Process) {
		return false
	}
	now := started(m.Process)
	return now == "" || m.Started == "" || strings.EqualFold(now, m.Started)
}

// parent is the process that started this one: Terraform, which keeps the state.
var parent = os.Getppid()

// orphaned says that Terraform is gone, so that no state will know of what was made.
func orphaned() bool { return os.Getppid() != parent }
