// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package session

import "testing"

func TestClaims(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		first, second Claim
		refused       bool
	}{
		"replaced":               {Claim{Config: "a"}, Claim{Config: "a", New: true}, false},
		"two new ones, alike":    {Claim{Config: "a", New: true}, Claim{Config: "a", New: true}, true},
		"two new ones":           {Claim{Config: "a", New: true}, Claim{Config: "b", New: true}, true},
		"a new one beside a old": {Claim{Config: "a"}, Claim{Config: "b", New: true}, true},
	} {
		var claims Claims
		if claims.Take("/disk.img", test.first) != nil || claims.Take("/other.img", test.second) != nil {
			t.Errorf("%s: refused the only one", name)
		}
		if got := claims.Take("/disk.img", test.second) != nil; got != test.refused {
			t.Errorf("%s: refused is %v", name, got)
		}
	}
}
