// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

// Command diagram draws the states of an image, and what each allows, as an SVG on its standard output. Both come from
// the tables that decide in the provider, so that the drawing cannot differ from what it does.
package main

import (
	"fmt"
	"io"
	"log"
	"os"
	"slices"
	"strings"

	"github.com/harvester-community/terraform-provider-harvester/internal/imagestate"
)

// Sizes, in pixels.
const (
	boxWidth, boxHeight = 150, 40
	column, rowHeight   = 230, 56
	margin              = 24
	lineHeight          = 18
)

// box is a state and where it stands: columns go from the first data to the end.
type box struct {
	state imagestate.State
	x, y  int
}

func main() {
	if err := draw(os.Stdout); err != nil {
		log.Fatal(err)
	}
}

// columns puts every state into one of them: before the data, while they come, when they have come, and the ends.
func columns() [4][]imagestate.State {
	var of [4][]imagestate.State
	for _, state := range imagestate.States() {
		image := imagestate.Image{State: state}
		at := 2
		switch {
		case state == imagestate.Initializing:
			at = 0
		case image.Importing():
			at = 1
		case image.Ready(), state == imagestate.Failed, state == imagestate.Terminating:
			at = 3
		}
		of[at] = append(of[at], state)
	}
	return of
}

// boxes places them, each column in the middle of the height.
func boxes() (placed [4][]box, width, height int) {
	of := columns()
	for _, states := range of {
		height = max(height, len(states)*rowHeight)
	}
	for i, states := range of {
		top := margin + (height-len(states)*rowHeight)/2
		for j, state := range states {
			placed[i] = append(placed[i], box{state, margin + i*column, top + j*rowHeight})
		}
	}
	return placed, margin*2 + 3*column + boxWidth, height + margin*2
}

func draw(out io.Writer) error {
	placed, width, height := boxes()
	texts := legend()
	total := height + len(texts)*lineHeight + margin
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="14" role="img">`+"\n", width, total)
	b.WriteString("<title>States of an image, and what each allows</title>\n")
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="white"/>`+"\n", width, total)
	b.WriteString(`<defs><marker id="arrow" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" orient="auto"><path d="M0,0 L8,4 L0,8 z" fill="#555"/></marker></defs>` + "\n")
	for i := range len(placed) - 1 {
		for _, from := range placed[i] {
			for _, to := range next(placed, i, from.state) {
				arrow(&b, from, to)
			}
		}
	}
	for _, boxes := range placed {
		for _, each := range boxes {
			each.draw(&b)
		}
	}
	for i, text := range texts {
		fmt.Fprintf(&b, `<text x="%d" y="%d" font-size="12">%s</text>`+"\n", margin, height+(i+1)*lineHeight, text)
	}
	b.WriteString("</svg>\n")
	_, err := io.WriteString(out, b.String())
	return err
}

// next are the states that follow one when all goes well. What was uploaded may still have to be compared.
func next(placed [4][]box, column int, from imagestate.State) []box {
	if column == 0 {
		return placed[1]
	}
	following := slices.DeleteFunc(slices.Clone(placed[3]), func(b box) bool { return !imagestate.Image{State: b.state}.Ready() })
	if from == imagestate.Uploading {
		following = append(following, placed[2]...)
	}
	return following
}

func arrow(b *strings.Builder, from, to box) {
	fmt.Fprintf(b, `<line x1="%d" y1="%d" x2="%d" y2="%d" stroke="#bbb" marker-end="url(#arrow)"/>`+"\n",
		from.x+boxWidth, from.y+boxHeight/2, to.x-2, to.y+boxHeight/2)
}

func (b box) draw(out *strings.Builder) {
	fill := "#fff3cd" // in between: nothing may use it
	switch {
	case len(allowed(imagestate.Image{State: b.state})) > 0:
		fill = "#d1e7dd"
	case b.state == imagestate.Failed, b.state == imagestate.Terminating:
		fill = "#f8d7da"
	}
	fmt.Fprintf(out, `<rect x="%d" y="%d" width="%d" height="%d" rx="6" fill="%s" stroke="#555"/>`+"\n", b.x, b.y, boxWidth, boxHeight, fill)
	fmt.Fprintf(out, `<text x="%d" y="%d" text-anchor="middle">%s</text>`+"\n", b.x+boxWidth/2, b.y+boxHeight/2+5, b.state)
}

// allowed lists what may be done with an image.
func allowed(image imagestate.Image) (operations []string) {
	for _, op := range imagestate.Operations() {
		if op != imagestate.Use && imagestate.Check(image, op) == nil {
			operations = append(operations, string(op))
		}
	}
	return operations
}

// legend says in words what each state allows.
func legend() (lines []string) {
	var nothing []string
	for _, state := range imagestate.States() {
		plain := allowed(imagestate.Image{State: state})
		if len(plain) == 0 {
			nothing = append(nothing, string(state))
			continue
		}
		lines = append(lines, fmt.Sprintf("%s: %s.", state, strings.Join(plain, ", ")),
			fmt.Sprintf("%s and encrypted: %s.", state, strings.Join(allowed(imagestate.Image{State: state, Encrypted: true}), ", ")))
	}
	return append(lines, "Nothing may use an image that is "+strings.Join(nothing[:len(nothing)-1], ", ")+" or "+nothing[len(nothing)-1]+".",
		"A failed import is tried again by Harvester, from the beginning, until its retries are used up.")
}
