// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package schedulebackup

import (
	"time"

	"github.com/robfig/cron" // the one that Harvester reads schedules with
)

// closest is how close two runs of a schedule may be.
const closest = time.Hour

// looked is how many runs are looked at: every minute of more than a day.
const looked = 2000

// gaps are the shortest and the longest time between two runs that follow one another.
func gaps(text string, now time.Time) (shortest, longest time.Duration, err error) {
	schedule, err := cron.ParseStandard(text)
	if err != nil {
		return 0, 0, err
	}
	for run, i := schedule.Next(now), 0; i < looked; i++ {
		next := schedule.Next(run)
		if next.IsZero() { // as of the 30th of February
			break
		}
		gap := next.Sub(run)
		longest = max(longest, gap)
		if shortest == 0 || gap < shortest {
			shortest = gap
		}
		run = next
	}
	return shortest, longest, nil
}

// never says that a schedule has no run at all.
func never(text string, now time.Time) bool {
	schedule, err := cron.ParseStandard(text)
	return err == nil && schedule.Next(now).IsZero()
}
