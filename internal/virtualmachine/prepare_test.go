// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package virtualmachine

import (
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/harvester-community/terraform-provider-harvester/internal/virtualmachine/disk"
)

func TestImageUses(t *testing.T) {
	before := basic()
	before.disks = []disk.Disk{volumeDisk("a", "v-a"), volumeDisk("b", "v-b")}
	after := basic()
	unknown, other, added := volumeDisk("a", "v-a"), volumeDisk("b", "v-b"), imageDisk("c")
	unknown.Image, other.Image, added.Image, added.Size = types.StringUnknown(), text("default/debian"), text("short"), text("5Gi")
	after.disks = []disk.Disk{added, unknown, other, blankDisk("d")}

	uses := after.imageUses(&before)
	if len(uses) != 2 || uses[0].Image != "default/short" || uses[0].disk != 0 || uses[0].Size != 5<<30 || uses[0].At.String() != "disk[0].image" ||
		uses[1].Image != "default/debian" || uses[1].SizeAt.String() != "disk[2].size" {
		t.Errorf("update: %+v", uses)
	}
	if uses := before.imageUses(&before); len(uses) != 0 {
		t.Errorf("nothing new: %+v", uses)
	}
	if uses := before.imageUses(nil); len(uses) != 2 {
		t.Errorf("creation: %+v", uses)
	}
}
