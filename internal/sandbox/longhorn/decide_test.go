// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package longhorn

import (
	"testing"
	"time"

	lhv1beta2 "github.com/longhorn/longhorn-manager/k8s/pkg/apis/longhorn/v1beta2"
)

const (
	pending    = lhv1beta2.BackingImageStatePending
	inProgress = lhv1beta2.BackingImageStateInProgress
	transfer0  = lhv1beta2.BackingImageStateReadyForTransfer
	ready      = lhv1beta2.BackingImageStateReady
	failed     = lhv1beta2.BackingImageStateFailed
)

func TestNextStep(t *testing.T) {
	info := func(state lhv1beta2.BackingImageState, message string) fileInfo {
		return fileInfo{State: state, Message: message}
	}
	running := info(inProgress, "")
	for name, test := range map[string]struct {
		recorded fileInfo
		seen     *fileInfo
		stored   *fileMeta
		mayRetry bool
		want     step
	}{
		"new":                            {info("", ""), nil, nil, false, step{start: true}},
		"waited for an upload":           {info(pending, ""), nil, nil, false, step{info(pending, ""), true}},
		"pod works":                      {info(pending, ""), &running, nil, false, step{running, false}},
		"pod lost":                       {info(inProgress, ""), nil, nil, false, step{info(failed, podMissing), false}},
		"pod lost, file was finished":    {info(inProgress, ""), nil, &fileMeta{Size: 512}, false, step{fileInfo{fileMeta{Size: 512}, ready, 100, ""}, false}},
		"ready, file is there":           {info(ready, ""), nil, &fileMeta{Size: 512}, false, step{fileInfo{fileMeta{Size: 512}, ready, 100, ""}, false}},
		"ready, file was taken away":     {info(ready, ""), nil, nil, false, step{info(failed, podMissing), false}},
		"failed":                         {info(failed, "why"), nil, nil, false, step{info(failed, "why"), false}},
		"failed, time for another try":   {info(failed, "why"), nil, nil, true, step{start: true}},
		"running, no time to start over": {info(inProgress, ""), &running, nil, true, step{running, false}},
	} {
		if got := nextStep(test.recorded, test.seen, test.stored, test.mayRetry); got != test.want {
			t.Errorf("%s: got %+v, want %+v", name, got, test.want)
		}
	}
}

func TestNextSeen(t *testing.T) {
	hold := 40
	for name, test := range map[string]struct {
		seen, file fileInfo
		hold       *int
		want       fileInfo
	}{
		"progress":           {fileInfo{}, fileInfo{State: inProgress, Progress: 70}, nil, fileInfo{State: inProgress, Progress: 70}},
		"progress held":      {fileInfo{}, fileInfo{State: inProgress, Progress: 70}, &hold, fileInfo{State: inProgress, Progress: 40}},
		"hold not reached":   {fileInfo{}, fileInfo{State: inProgress, Progress: 7}, &hold, fileInfo{State: inProgress, Progress: 7}},
		"finished":           {fileInfo{State: inProgress}, fileInfo{State: transfer0}, nil, fileInfo{State: transfer0}},
		"finished and taken": {fileInfo{State: transfer0}, fileInfo{State: transfer0}, nil, fileInfo{State: ready}},
		"stays taken":        {fileInfo{State: ready}, fileInfo{State: transfer0}, nil, fileInfo{State: ready}},
	} {
		if got := nextSeen(test.seen, test.file, test.hold); got != test.want {
			t.Errorf("%s: got %+v, want %+v", name, got, test.want)
		}
	}
}

func TestImageStatusHasOneDisk(t *testing.T) {
	early := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	file := fileInfo{State: inProgress, Progress: 10}
	file.Size = 1024
	first := imageStatus(lhv1beta2.BackingImageStatus{}, file, early)
	file.Progress = 20
	second := imageStatus(first, file, early.Add(time.Minute))
	if disk := second.DiskFileStatusMap[diskUUID]; len(second.DiskFileStatusMap) != 1 || disk.Progress != 20 || disk.LastStateTransitionTime != "2026-01-01T00:00:00Z" {
		t.Errorf("in progress: %+v", disk)
	}
	if second.Size != 1024 || second.VirtualSize != 0 || second.Checksum != "" {
		t.Errorf("in progress: %+v", second)
	}
	file = fileInfo{fileMeta: fileMeta{Size: 1024, VirtualSize: 4096, RealSize: 512, Checksum: "abc"}, State: ready, Progress: 100}
	if last := imageStatus(second, file, early); last.VirtualSize != 4096 || last.RealSize != 512 || last.Checksum != "abc" {
		t.Errorf("ready: %+v", last)
	}
}

func TestUploadSize(t *testing.T) {
	for query, want := range map[string]string{
		"":     `strconv.ParseInt: parsing "": invalid syntax`,
		"x":    `strconv.ParseInt: parsing "x": invalid syntax`,
		"1000": "the uploaded file size 1000 should be a multiple of 512 bytes since Longhorn uses directIO by default",
		"1024": "",
	} {
		_, err := uploadSize(query)
		if got := message(err); got != want {
			t.Errorf("size %q: %q, want %q", query, got, want)
		}
	}
}

func message(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
