// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package image

import (
	"fmt"
	"time"

	"github.com/harvester-community/terraform-provider-harvester/internal/imagestate"
)

// meter watches the bytes of an upload: it says now and then how far it is, and
// notices when nothing moves.
type meter struct {
	size  int64
	stall time.Duration

	sent           int64
	started, moved time.Time
	said           time.Time
	saidPercent    int64
}

// What is worth a line in the log: a step of 5 %, or half a minute.
const (
	logPercent = 5
	logEvery   = 30 * time.Second
)

func newMeter(size int64, stall time.Duration) *meter {
	now := time.Now()
	return &meter{size: size, stall: stall, started: now, moved: now, said: now}
}

// read takes a reading. It returns a line if one is due, and whether nothing moved for too long.
func (m *meter) read(sent int64, now time.Time) (line string, stalled bool) {
	if sent != m.sent {
		m.sent, m.moved = sent, now
	}
	if percent := m.done(); percent >= m.saidPercent+logPercent || now.Sub(m.said) >= logEvery {
		m.said, m.saidPercent = now, percent
		line = m.line(now)
	}
	return line, m.stall > 0 && now.Sub(m.moved) >= m.stall
}

// line says percent, bytes, rate and time left.
func (m *meter) line(now time.Time) string {
	rate := float64(m.sent) / max(now.Sub(m.started).Seconds(), 0.001)
	line := fmt.Sprintf("%s, %s of %s, %s/s", m.percent(), imagestate.Bytes(m.sent), imagestate.Bytes(m.size), imagestate.Bytes(int64(rate)))
	if m.sent == 0 || m.sent >= m.size {
		return line
	}
	left := time.Duration(float64(m.size-m.sent) / rate * float64(time.Second))
	return line + fmt.Sprintf(", %s left", left.Round(time.Second))
}

func (m *meter) percent() string { return fmt.Sprintf("%d %%", m.done()) }

// done is how much was sent, in percent. Nothing is done at once.
func (m *meter) done() int64 {
	if m.size == 0 {
		return 100
	}
	return 100 * m.sent / m.size
}
