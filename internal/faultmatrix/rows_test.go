// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package faultmatrix

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/harvester-community/terraform-provider-harvester/internal/acctest"
	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/imagestate"
)

const (
	// held is the progress at which a held import stands.
	held = 40
	// verified is the progress while all the data is there and its checksum is computed.
	verified = 99
	// large is more than fits into all buffers between the file and the middle of an upload.
	large = 16 << 20
	// soon is how long an interrupted apply may go on.
	soon = 10 * time.Second
)

var (
	hold   = acctest.Fault{HoldProgress: new(held)}
	damage = acctest.Fault{CorruptStored: true}
	hide   = acctest.Fault{HideChecksum: true}
)

const strict = `verify = "strict"`

// rows is the matrix: name and trouble first, wants if it may not just succeed.
var rows = slices.Concat(
	fileRows, creationRows, refusalRows, cutRows, dataRows, importRows, waitingRows, killRows, interruptRows, otherPeopleRows,
)

// Before anything is made.
var fileRows = []row{
	{name: "file: missing", official: handled, before: moveAway, wants: `File not usable.*does not exist`, repair: moveBack},
	{name: "file: directory", official: handled, before: makeFolder, wants: `File not usable.*is a directory`, repair: moveBack},
	{name: "file: empty", official: fails, before: empty, wants: `File not usable.*is empty`, repair: moveBack},
	{name: "file: length no multiple of 512", official: fails, size: 1<<20 + 100},
	{
		name: "file: not what checksum says", more: `checksum = "` + strings.Repeat("0", 128) + `"`,
		wants: `Checksum does not match.*is damaged`, repair: (*course).withoutMore,
	},
}

// The image's object is made.
var creationRows = []row{
	{name: "plan: dry run refused with 502", trouble: once(answers(502), dryRun)},
	{name: "create: 401", trouble: always(refuses(401, "Unauthorized"), creation), wants: `Not authorized.*401.*Nothing was created`},
	{name: "create: 403", trouble: always(refuses(403, "Forbidden"), creation), wants: `Not allowed.*Nothing was created`},
	{name: "create: 429 once", trouble: once(overloaded, creation)},
	{name: "create: 500 once", trouble: once(refuses(500, "InternalError"), creation)},
	{name: "create: 502 once", trouble: once(answers(502), creation)},
	{name: "create: 503 once", trouble: once(answers(503), creation)},
	{name: "create: webhook out of reach once", trouble: once(webhook(`failed calling webhook "validator.harvesterhci.io": connection refused`), creation)},
	{
		name: "create: denied with 500", trouble: always(webhook(`admission webhook "validator.harvesterhci.io" denied the request: no such class`), creation),
		wants: `Rejected by the cluster.*: no such class\. Nothing was created`,
	},
	{name: "create: reset once", trouble: once(resets, creation)},
	{name: "create: answer lost", trouble: once(lostAnswer, creation)},
	{name: "create: unreachable for 4 s", before: down, meanwhile: upAfter(4 * time.Second)},
	{name: "create: unreachable", slow: true, before: down, wants: `Cluster not reachable`},
	{
		name: "create: name taken", before: (*course).recreateImage, repair: (*course).deleteImage,
		wants: `Image already exists.*Nothing was created or changed.*terraform import`,
	},
	{name: "create: display name taken", before: takeDisplayName, wants: `Display name is taken.*-other`, repair: giveDisplayName},
}

// The upload is refused.
var refusalRows = []row{
	{name: "upload: 400 already exists, once", official: handled, trouble: once(alreadyExists, upload)},
	{name: "upload: 401 once", official: fails, trouble: once(answers(401), upload)},
	{name: "upload: 401", trouble: always(answers(401), upload), wants: `Not authorized.*401.*tainted`},
	{name: "upload: 403", trouble: always(answers(403), upload), wants: `Not allowed.*403`},
	{name: "upload: 404", trouble: always(answers(404), upload), wants: `404`},
	{name: "upload: 413", official: handled, trouble: always(answers(413), upload), wants: `refused by a proxy.*413.*limits the size`},
	{name: "upload: 413 after half", size: large, trouble: always(answersHalfway(413), upload), wants: `refused by a proxy.*413`},
	{name: "upload: 429 once", trouble: once(answers(429), upload)},
	{name: "upload: 500 once", trouble: once(answers(500), upload)},
	{name: "upload: 502 once", trouble: once(answers(502), upload)},
	{name: "upload: 503 once", official: fails, trouble: once(answers(503), upload)},
	{name: "upload: 504 once", trouble: once(answers(504), upload)},
	{name: "upload: 502 always", slow: true, trouble: always(answers(502), upload), wants: `Upload interrupted.*502`},
	{name: "upload: 500 after half", slow: true, size: large, trouble: once(answersHalfway(500), upload)},
	{name: "upload: 502 after half", slow: true, official: fails, size: large, trouble: once(answersHalfway(502), upload)},
	{name: "upload: 503 after half", slow: true, size: large, trouble: once(answersHalfway(503), upload)},
	{name: "upload: 504 after half", slow: true, size: large, trouble: once(answersHalfway(504), upload)},
	{name: "upload: 504 after the body, then finished", official: fails, trouble: always(goesOn(answered(504)), upload)},
	{name: "upload: 504 after the body, finished much later", slow: true, fault: hold, trouble: always(goesOn(answered(504)), upload), meanwhile: heldFor(8 * time.Second)},
	{name: "upload: 502 after the body, then finished", trouble: always(goesOn(answered(502)), upload)},
	{name: "upload: 500 after the body, then finished", trouble: always(goesOn(answered(500)), upload)},
	{name: "upload: refused by Longhorn once", slow: true, fault: acctest.Fault{RefuseUploads: 1}, meanwhile: withoutFailure},
	{name: "upload: redirected with 307", trouble: once(redirects(307), upload)},
	{name: "upload: redirected with 308", trouble: once(redirects(308), upload)},
}

// The connection breaks or stalls.
var cutRows = []row{
	{name: "cut: before the request", trouble: once(resets, upload)},
	{name: "cut: before the body", slow: true, official: fails, trouble: once(cutAt(0), upload)},
	{name: "cut: at 50 %", slow: true, official: fails, size: large, trouble: once(cutAt(0.5), upload)},
	{name: "cut: at 99 %", slow: true, size: large, trouble: once(cutAt(0.99), upload)},
	{name: "cut: at 100 %", size: large, trouble: once(cutAt(1), upload)},
	{name: "cut: twice", slow: true, size: large, trouble: append(once(cutAt(0.2), upload), once(cutAt(0.7), upload)...)},
	{
		name: "cut: always", slow: true, trouble: always(cutAt(0.5), upload), more: `timeouts { create = "20s" }`,
		wants: `Timed out.*last seen as`, repair: (*course).withoutMore,
	},
	{name: "cut: after the body, then finished", official: fails, trouble: always(goesOn(hangUp), upload)},
	{name: "cut: after the body, finished much later", slow: true, fault: hold, trouble: always(goesOn(hangUp), upload), meanwhile: heldFor(8 * time.Second)},
	{name: "cut: unreachable for 4 s from 50 %", slow: true, size: large, trouble: once(at(0.5, unreachable), upload)},
	{name: "stall: never an answer to the upload", trouble: always(silent, upload), more: `stall_timeout = "5s"`},
	{name: "stall: after the last byte", fault: hold, more: `stall_timeout = "4s"`, wants: `Timed out.*nothing changed for 4s; last seen: Uploading, 40 %.*raise stall_timeout`},
	{
		name: "stall: none while the data is verified", size: large, fault: acctest.Fault{HoldProgress: new(verified)}, more: `stall_timeout = "5s"`,
		meanwhile: func(c *course) {
			c.cluster.Await(c.T, c.name, func(i imagestate.Image) bool { return i.Progress == verified })
			time.Sleep(10 * time.Second)
			c.release()
		},
	},
	{name: "stall: slow, but moving", fault: acctest.Fault{UploadBytesPerSecond: 128 << 10}, more: `stall_timeout = "5s"`},
	{
		name: "stall: at 50 %, always", slow: true, official: fails, size: large, trouble: always(stallsAt(0.5), upload), more: `stall_timeout = "3s"`,
		wants: `Timed out.*nothing changed for 3s.*last seen`, repair: (*course).withoutMore,
	},
	{
		name: "stall: at 50 %, once", slow: true, size: large, more: `stall_timeout = "35s"`,
		trouble: once(at(0.5, func(*course) { time.Sleep(40 * time.Second) }), upload),
	},
}

// The data is not what it should be.
var dataRows = []row{
	{name: "data: damaged on the way", official: fails, trouble: once(corrupts(), upload), wants: `Image is not what was sent.*what arrived is not.*was deleted`},
	{name: "data: damaged on the way, verify strict", slow: true, trouble: once(corrupts(), upload), more: strict, wants: `Image import failed.*checksum`},
	{name: "data: stored damaged", fault: damage, wants: `Image is not what was sent.*in the cluster.*was deleted.*bad disk`},
	{name: "data: stored damaged, verify strict", slow: true, fault: damage, more: strict, wants: `Image import failed.*checksum`},
	{name: "data: stored damaged, and not deleted at once", fault: damage, trouble: once(answers(502), deletion), wants: `Image is not what was sent.*was deleted`},
	{name: "data: checksum shown late", fault: hide, meanwhile: whileVerified(func(c *course) {
		time.Sleep(3 * time.Second)
		c.show()
	})},
	{name: "data: checksum never shown", slow: true, fault: hide, meanwhile: whileVerified(func(c *course) {
		time.Sleep(45 * time.Second) // of the minute that it is waited for
		acctest.Eventually(c.T, "the image is ready in the end", func(ctx context.Context) bool {
			image, err := c.cluster.Images.Get(ctx, "default", c.name)
			return err == nil && imagestate.Of(image).Ready()
		})
		c.show()
	})},
	{name: "data: reading the checksum: 502 once", trouble: once(answers(502), longhorn)},
	{name: "data: reading the checksum: forbidden", trouble: always(refuses(403, "Forbidden"), longhorn)},
	{name: "data: the mark goes: 502 once", trouble: once(answers(502), change)},
	{name: "data: the mark goes: answer lost", trouble: once(lostAnswer, change)},
	{name: "data: file edited while it is read ahead", size: 4 * large, trouble: once(at(0.25, edit), upload), wants: `File not usable.*was modified.*next apply makes it anew`},
	{
		name: "data: packed, and damaged inside", size: large, before: packDamaged,
		wants: `File not usable.*cannot be read to its end.*next apply makes it anew`, repair: moveBack,
	},
	{name: "data: file truncated while it is sent", official: fails, size: large, trouble: once(at(0.5, truncate), upload), wants: `File not usable.*changed its size.*next apply makes it anew`},
	{name: "data: file grows while it is sent", official: fails, size: large, trouble: once(at(0.5, grow), upload), wants: `File not usable.*changed its size.*next apply makes it anew`},
	{name: "data: file edited while it is sent", size: large, trouble: once(at(0.5, edit), upload), wants: `File not usable.*was modified.*next apply makes it anew`},
	{name: "data: file replaced while it is sent", size: large, trouble: once(at(0.5, replace), upload), wants: `File not usable.*was replaced.*next apply makes it anew`},
	{
		name: "data: file removed while it is sent", size: large, trouble: once(at(0.5, moveAway), upload),
		wants: `File not usable.*disappeared.*next apply makes it anew`, then: `File not usable.*does not exist`, repair: moveBack,
	},
}

// Harvester imports the data.
var importRows = []row{
	{name: "import: fails after an upload", fault: failing("disk full", 0), wants: `Image import failed.*disk full`},
	{name: "import: fails after an upload, for lack of space", fault: failing("no space left on device", 0), more: "retry = 0", wants: `Image import failed.*no space left.*Free space`},
	{name: "import: download fails once", slow: true, download: true, fault: failing("disk full", 1)},
	{
		name: "import: download fails, no retry", download: true, fault: failing("disk full", 0), more: "retry = 0",
		// Without a retry, Harvester's own clearing away can be the end as well.
		wants: `Image import failed.*(disk full|is being deleted)`,
	},
	{name: "import: download exceeds the retry limit", slow: true, download: true, fault: failing("disk full", 0), more: "retry = 1", wants: `Image import failed.*retry attempted 1/1.*disk full`},
	{
		name: "import: download of a file that is not there", download: true, before: moveAway, more: "retry = 0",
		wants: `Image import failed.*404.*the cluster itself`, repair: moveBack,
	},
	{name: "import: stands still", download: true, fault: hold, more: `stall_timeout = "4s"`, wants: `Timed out.*nothing changed for 4s.*Downloading`},
	{
		name: "import: out of time", fault: hold, trouble: always(silent, upload), more: `timeouts { create = "6s" }`,
		wants: `Timed out.*Uploading`, repair: (*course).withoutMore,
	},
}

// The provider waits.
var waitingRows = []row{
	{name: "wait: 502 once", official: fails, download: true, fault: hold, meanwhile: readsFail(1, answers(502))},
	{name: "wait: 503 once", official: fails, download: true, fault: hold, meanwhile: readsFail(1, refuses(503, "ServiceUnavailable"))},
	{name: "wait: reset once", official: fails, download: true, fault: hold, meanwhile: readsFail(1, resets)},
	{name: "wait: 401 once", official: fails, download: true, fault: hold, meanwhile: readsFail(1, refuses(401, "Unauthorized"))},
	{name: "wait: 429 once", download: true, fault: hold, meanwhile: readsFail(1, overloaded)},
	{name: "wait: 500 for 6 s", download: true, fault: hold, meanwhile: readsFail(0, refuses(500, "InternalError"))},
	{name: "wait: 502 for 6 s", download: true, fault: hold, meanwhile: readsFail(0, answers(502))},
	{name: "wait: 401 for 6 s", download: true, fault: hold, meanwhile: readsFail(0, refuses(401, "Unauthorized"))},
	{name: "wait: resets for 6 s", download: true, fault: hold, meanwhile: readsFail(0, resets)},
	{name: "wait: unreachable for 4 s", download: true, fault: hold, meanwhile: func(c *course) {
		c.untilHeld()
		unreachable(c)
		c.release()
	}},
	{name: "wait: 502 for the first reads after the upload", trouble: append(once(goesOn(hangUp), upload), rule{reads, 3, answers(502)})},
	{name: "wait: watch cut again and again", download: true, fault: hold, meanwhile: func(c *course) {
		c.untilHeld()
		for range 10 {
			c.proxy.endWatches()
			time.Sleep(200 * time.Millisecond)
		}
		c.release()
	}},
	{name: "wait: watch closed at once, always", trouble: always(ends, watch)},
	{name: "wait: watch expires with 410 Gone, always", trouble: always(expires, watch)},
	{name: "wait: watch refused with 410 Gone, always", trouble: always(refuses(410, "Expired"), watch)},
	{name: "wait: watch silent", slow: true, trouble: always(hangs, watch)},
	{name: "wait: watch forbidden", trouble: always(refuses(403, "Forbidden"), watch)},
	{name: "wait: watch refused with 502, always", trouble: always(answers(502), watch)},
	{name: "wait: list forbidden", trouble: always(refuses(403, "Forbidden"), list, watch)},
	{
		name: "wait: list forbidden, other reads 502 for 6 s", slow: true, download: true, fault: hold,
		trouble: always(refuses(403, "Forbidden"), list, watch), meanwhile: readsFail(0, answers(502)),
	},
	{name: "wait: all reads forbidden", trouble: always(refuses(403, "Forbidden"), reads...), wants: `Not allowed.*tainted`},
	{name: "wait: reads of events and of Longhorn forbidden", trouble: always(refuses(403, "Forbidden"), events, longhorn)},
}

// Processes are killed.
var killRows = []row{
	{name: "kill: provider, before the image is made", trouble: once(killing(killProvider), creation), wants: crashed},
	{name: "kill: provider, before the answer that the image is made", trouble: once(killingAfter(killProvider), creation), wants: crashed},
	{name: "kill: provider, before the upload", trouble: once(killing(killProvider), upload), wants: crashed},
	{name: "kill: provider, at 50 %", slow: true, official: fails, size: large, trouble: once(at(0.5, killProvider), upload), wants: crashed},
	{name: "kill: provider, while importing", fault: hold, trouble: once(silent, upload), meanwhile: whenHeld(killProvider), wants: crashed},
	{name: "kill: provider, while the cluster downloads", download: true, fault: hold, meanwhile: whenHeld(killProvider), wants: crashed},
	{name: "kill: provider, while the data is compared", trouble: once(killing(killProvider), longhorn), wants: crashed},
	{name: "kill: provider, before the mark goes", trouble: once(killing(killProvider), change), wants: crashed},
	{name: "kill: provider, before the answer that the mark is gone", trouble: once(killingAfter(killProvider), change), wants: crashed},
	{
		name: "kill: provider, before the mark goes, and the file is edited", size: 4 * large, trouble: once(killing(func(c *course) {
			killProvider(c)
			c.editMiddle()
		}), change), wants: crashed, then: `Image is not what was sent.*earlier apply.*sent other data.*was deleted`,
	},
	{name: "kill: terraform, while the data is compared", trouble: once(killing(killTerraform), longhorn), wants: killed},
	{name: "kill: terraform, before the mark goes", trouble: once(killing(killTerraform), change), wants: killed},
	{name: "kill: both, before the mark goes", trouble: once(killing(killBoth), change), wants: killed},
	{name: "kill: terraform, before the upload", trouble: once(killing(killTerraform), upload), wants: killed},
	{name: "kill: terraform, at 50 %", slow: true, size: large, trouble: once(at(0.5, killTerraform), upload), wants: killed},
	{name: "kill: terraform, while importing", fault: hold, trouble: once(silent, upload), meanwhile: whenHeld(killTerraform), wants: killed},
	{name: "kill: both, at 50 %", slow: true, size: large, trouble: once(at(0.5, killBoth), upload), wants: killed},
	{name: "kill: both, while importing", fault: hold, trouble: once(silent, upload), meanwhile: whenHeld(killBoth), wants: killed},
}

const (
	crashed = `plugin.*(did not respond|terminated|exited|EOF|connection|cancelled)`
	killed  = `signal: killed`
	deleted = `deleted by someone else.*next apply makes it anew`
)

// Somebody presses Ctrl-C.
var interruptRows = []row{
	{name: "interrupt: before the upload", trouble: once(at(0, interrupt), upload), wants: `Interrupted`, within: soon},
	{name: "interrupt: at 50 %", official: handled, size: large, trouble: once(thenStalls(0.5, interrupt), upload), wants: `Interrupted.*tainted`, within: soon},
	{name: "interrupt: while importing", fault: hold, trouble: once(silent, upload), meanwhile: whenHeld(interrupt), wants: `Interrupted`, within: soon},
	{name: "interrupt: while the data is compared", fault: hide, meanwhile: whileVerified(interrupt), wants: `Interrupted`, within: soon},
	{name: "interrupt: while the cluster downloads", download: true, fault: hold, meanwhile: whenHeld(interrupt), wants: `Interrupted`, within: soon},
	{name: "interrupt: between two tries", trouble: append(once(answers(503), upload), once(thenStalls(0, interrupt), upload)...), wants: `Interrupted`, within: soon},
	{name: "interrupt: twice, at 50 %", size: large, trouble: once(thenStalls(0.5, interruptTwice), upload), wants: `interrupt`, within: soon},
}

// Somebody else is at work.
var otherPeopleRows = []row{
	{name: "others: delete the image at 50 %", slow: true, size: large, trouble: once(at(0.5, (*course).deleteImage), upload), wants: deleted},
	{name: "others: delete the image while the data is compared", fault: hide, meanwhile: whileVerified((*course).deleteImage), wants: deleted},
	{name: "others: delete the image while importing", slow: true, fault: hold, trouble: once(silent, upload), meanwhile: whenHeld((*course).deleteImage), wants: deleted},
	{
		name: "others: delete the image and make one of that name", slow: true, fault: hold, trouble: once(silent, upload), meanwhile: whenHeld((*course).recreateImage),
		wants: deleted, then: `Image already exists`, repair: (*course).deleteImage,
	},
}

// once and always make trouble for the requests of some kinds.
func once(do trouble, on ...kind) []rule   { return []rule{{on, 1, do}} }
func always(do trouble, on ...kind) []rule { return []rule{{on, 0, do}} }

// overloaded is how kube-apiserver asks to come back.
func overloaded(_ *course, w http.ResponseWriter, _ *http.Request, _ forward) {
	w.Header().Set("Retry-After", "1")
	kubernetes(w, http.StatusTooManyRequests, "TooManyRequests")
}

// webhook is how kube-apiserver answers if a webhook cannot be called, and Harvester's if they refuse.
func webhook(message string) trouble {
	return func(_ *course, w http.ResponseWriter, _ *http.Request, _ forward) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusInternalServerError)
		_, _ = fmt.Fprintf(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","code":500,"reason":"InternalError","message":%q}`, message)
	}
}

// alreadyExists is what Longhorn says while it clears away an earlier upload.
func alreadyExists(_ *course, w http.ResponseWriter, _ *http.Request, _ forward) {
	w.WriteHeader(http.StatusBadRequest)
	_, _ = fmt.Fprintln(w, "file /data/tmp/vmi-0 already exists")
}

func failing(message string, times int) acctest.Fault {
	return acctest.Fault{FailImport: message, FailImportTimes: times}
}

// killing kills instead of passing a request on, killingAfter instead of answering it.
func killing(kill func(*course)) trouble {
	return func(c *course, _ http.ResponseWriter, _ *http.Request, _ forward) {
		kill(c)
		abort(nil)
	}
}

func killingAfter(kill func(*course)) trouble {
	return func(c *course, w http.ResponseWriter, r *http.Request, pass forward) {
		defer kill(c)
		lostAnswer(c, w, r, pass)
	}
}

func down(c *course) { c.proxy.down.Store(true) }

func upAfter(d time.Duration) func(*course) {
	return func(c *course) {
		time.Sleep(d)
		c.proxy.down.Store(false)
	}
}

func unreachable(c *course) { c.proxy.unreachable(4 * time.Second) }

// heldFor holds the import for a while.
func heldFor(d time.Duration) func(*course) {
	return func(c *course) {
		c.untilHeld()
		time.Sleep(d)
		c.release()
	}
}

// whenHeld does something while the import is held.
func whenHeld(do func(*course)) func(*course) {
	return func(c *course) {
		c.untilHeld()
		do(c)
	}
}

// whileVerified does something while the data, all of which has arrived, is compared.
func whileVerified(do func(*course)) func(*course) {
	return func(c *course) {
		c.cluster.Await(c.T, c.name, func(i imagestate.Image) bool { return i.State == imagestate.Verifying })
		do(c)
	}
}

// withoutFailure waits until the image is ready, with all attempts that Harvester allows still left.
func withoutFailure(c *course) {
	var last imagestate.Image
	c.cluster.Await(c.T, c.name, func(i imagestate.Image) bool {
		last = i
		return i.Ready() || i.Attempts > 0
	})
	if last.Attempts > 0 {
		c.Errorf("Harvester counts a failure: %s", last.Message)
	}
}

// show lets Longhorn show the checksum, and waits until it does.
func (c *course) show() {
	c.release()
	acctest.Eventually(c.T, "Longhorn shows the checksum", func(ctx context.Context) bool {
		image, err := c.cluster.Images.Get(ctx, "default", c.name)
		if err != nil {
			return false
		}
		stored, err := c.stored(ctx, image)
		return err == nil && stored.Status.Checksum != ""
	})
}

// readsFail makes so many reads fail while the import is held; with 0, all of them for 6 s.
func readsFail(times int, do trouble) func(*course) {
	return func(c *course) {
		c.untilHeld()
		c.proxy.add(rule{reads, times, do})
		c.proxy.endWatches()
		if times == 0 {
			time.Sleep(6 * time.Second)
			c.proxy.clear()
		} else {
			time.Sleep(2 * time.Second)
		}
		c.release()
	}
}

func (c *course) aside() string { return c.file + ".aside" }

func (c *course) must(err error) {
	if err != nil {
		c.Error(err)
	}
}

func moveAway(c *course) { c.must(os.Rename(c.file, c.aside())) }

func moveBack(c *course) {
	_ = os.Remove(c.file)
	c.must(os.Rename(c.aside(), c.file))
}

func makeFolder(c *course) {
	moveAway(c)
	c.must(os.Mkdir(c.file, 0o700))
}

func empty(c *course) {
	moveAway(c)
	c.must(os.WriteFile(c.file, nil, 0o600))
}

func truncate(c *course) { c.must(os.Truncate(c.file, large/4)) }

func grow(c *course) { c.append(os.O_APPEND) }

func edit(c *course) { c.append(0) }

// append writes some bytes at the end of the file, or with other flags over its beginning.
func (c *course) append(flags int) {
	file, err := os.OpenFile(c.file, os.O_WRONLY|flags, 0)
	if err != nil {
		c.Error(err)
		return
	}
	_, err = file.WriteString(strings.Repeat("edit", 128))
	c.must(err)
	c.must(file.Close())
}

// replace puts another file of the same length in its place.
func replace(c *course) {
	content, err := os.ReadFile(c.file)
	c.must(err)
	slices.Reverse(content)
	c.must(os.WriteFile(c.aside(), content, 0o600))
	c.must(os.Rename(c.aside(), c.file))
}

// editMiddle changes what is seen only by reading all of the file.
func (c *course) editMiddle() {
	file, err := os.OpenFile(c.file, os.O_WRONLY, 0)
	if err != nil {
		c.Error(err)
		return
	}
	_, err = file.WriteAt([]byte("edit"), 2*large)
	c.must(err)
	c.must(file.Close())
}

// packDamaged puts a packed file in its place that states its length and is damaged inside.
func packDamaged(c *course) {
	content, err := os.ReadFile(c.file)
	c.must(err)
	moveAway(c)
	encoder, err := zstd.NewWriter(nil)
	c.must(err)
	packed := encoder.EncodeAll(content, nil)
	packed[len(packed)*2/3] ^= 1 // within a block, whose lengths the file is asked for
	c.must(os.WriteFile(c.file, packed, 0o600))
}

// withoutMore takes the row's arguments out of the configuration.
func (c *course) withoutMore() { c.write("main.tf", c.configuration(row{})) }

// takeDisplayName makes another image, a complete one: of others Harvester does not mind the display name.
func takeDisplayName(c *course) {
	other := c.name + "-other"
	c.cluster.Apply(c.T, api.Images, "default", map[string]any{ // as people do, not this provider
		"apiVersion": "harvesterhci.io/v1beta1", "kind": api.KindImage, "metadata": map[string]any{"name": other},
		"spec": map[string]any{"displayName": c.name + ".img", "sourceType": api.SourceUpload},
	})
	c.cluster.Await(c.T, other, func(i imagestate.Image) bool { return i.AwaitsData })
	c.must(c.cluster.Send(c.T, other, 1<<20))
	c.cluster.Await(c.T, other, imagestate.Image.Ready)
}

func giveDisplayName(c *course) {
	c.must(c.cluster.Images.Delete(c.Context(), "default", c.name+"-other", ""))
}
