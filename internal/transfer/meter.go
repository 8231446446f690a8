// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package transfer

import (
	"fmt"
	"time"

	"github.com/harvester-community/terraform-provider-harvester/internal/units"
)

// Meter watches the bytes of a transfer: it says now and then how far it is, and
// notices when nothing moves.
type Meter struct {
	size  int64
	stall time.Duration

	moved, done              int64
	started, movedAt, saidAt time.Time
	saidPercent              int64
}

// What is worth a line in the log: a step of 5 %, or half a minute.
const (
	logPercent = 5
	logEvery   = 30 * time.Second
)

// NewMeter begins to watch. A size of 0 is not known, a stall of 0 is never noticed.
func NewMeter(size int64, stall time.Duration) *Meter {
	now := time.Now()
	return &Meter{size: size, stall: stall, started: now, movedAt: now, saidAt: now}
}

// Read takes a reading: how many bytes came over the wire, and how many of the size
// are done. It returns a line if one is due, and whether nothing moved for too long.
func (m *Meter) Read(moved, done int64, now time.Time) (line string, stalled bool) {
	if moved != m.moved {
		m.moved, m.movedAt = moved, now
	}
	m.done = done
	if percent := m.percent(); percent >= m.saidPercent+logPercent || now.Sub(m.saidAt) >= logEvery {
		m.saidAt, m.saidPercent = now, percent
		line = m.line(now)
	}
	return line, m.stall > 0 && now.Sub(m.movedAt) >= m.stall
}

// State says how far the transfer is, in a few words.
func (m *Meter) State() string {
	if m.size > 0 {
		return fmt.Sprintf("%d %%, %s of %s", m.percent(), units.Bytes(m.done), units.Bytes(m.size))
	}
	return units.Bytes(m.moved)
}

func (m *Meter) percent() int64 {
	if m.size == 0 {
		return 0
	}
	return 100 * m.done / m.size
}

// line adds rate and time left. The rate is that of the data, which can be more than what came over the wire.
func (m *Meter) line(now time.Time) string {
	done := m.done
	if m.size == 0 {
		done = m.moved
	}
	rate := float64(done) / max(now.Sub(m.started).Seconds(), 0.001)
	line := fmt.Sprintf("%s, %s/s", m.State(), units.Bytes(int64(rate)))
	if done == 0 || done >= m.size {
		return line
	}
	left := time.Duration(float64(m.size-done) / rate * float64(time.Second))
	return line + fmt.Sprintf(", %s left", left.Round(time.Second))
}
