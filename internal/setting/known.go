// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package setting

import "github.com/harvester-community/terraform-provider-harvester/internal/api"

// applied says how a setting tells that its value was applied.
type applied int

const (
	// whenRead: Harvester reads the value when it needs it, and tells nothing.
	whenRead applied = iota
	// byHash: Harvester notes the hash of each value that it has applied.
	byHash
	// byCondition: only the condition tells.
	byCondition
	// byProgress: the condition tells how far it is, and says when it is complete, also without a value.
	byProgress
)

// knowledge is what is known of a setting, from Harvester's sources (pkg/controller/master/setting/register.go and
// pkg/webhook/resources/setting/validator.go of v1.8.1).
type knowledge struct {
	applied applied
	// json: the value is a JSON object. zero: what it lacks is the same as false, 0, "", [] or {}.
	json, zero bool
	// secret: the value can hold credentials.
	secret bool
	// elsewhere: whether Harvester takes a value depends on other objects too, which the run may change.
	elsewhere bool
	// remote: to ask whether Harvester would take a value makes it connect elsewhere.
	remote bool
	// system: Harvester or its installer maintains the value.
	system bool
	// check lists what is wrong with a value, without repeating it.
	check func(value string) []string
}

// known are the settings of Harvester 1.4 to 1.9 of which there is something to say. Others are taken as they are.
var known = map[string]knowledge{
	"additional-ca":                               {applied: byHash, check: isCertificate},
	"additional-guest-memory-overhead-ratio":      {applied: byHash, check: isRatio},
	"auto-disk-provision-paths":                   {applied: byHash, system: true},
	"auto-rotate-rke2-certs":                      {applied: byHash, json: true, zero: true, check: member("expiringInHours", 1, 8759)},
	api.SettingBackupTarget:                       {applied: byCondition, json: true, zero: true, secret: true, remote: true, check: isBackupTarget},
	"cluster-pod-security-standard":               {applied: byHash, json: true, zero: true},
	"cluster-registration-url":                    {applied: byHash, json: true, zero: true, secret: true},
	"containerd-registry":                         {applied: byHash, json: true, zero: true, secret: true},
	"csi-driver-config":                           {json: true, zero: true},
	"csi-online-expand-validation":                {json: true},
	"default-vm-termination-grace-period-seconds": {check: isInteger(0, most)},
	"http-proxy":                                  {applied: byHash, json: true, zero: true, secret: true, elsewhere: true},
	"instance-manager-resources":                  {applied: byHash, json: true, zero: true, elsewhere: true},
	"kubeconfig-default-token-ttl-minutes":        {applied: byHash, check: isInteger(0, 52560000)},
	"kubevirt-migration":                          {applied: byHash, json: true, elsewhere: true},
	"log-level":                                   {applied: byHash, check: isOneOf("panic", "fatal", "error", "warn", "warning", "info", "debug", "trace")},
	"longhorn-v2-data-engine-enabled":             {applied: byHash, elsewhere: true, check: isOneOf("true", "false")},
	"max-hotplug-ratio":                           {applied: byHash, check: isInteger(1, most)},
	"ntp-servers":                                 {applied: byHash, json: true, zero: true},
	"overcommit-config":                           {applied: byHash, json: true, zero: true},
	"rancher-cluster":                             {json: true, zero: true, elsewhere: true},
	"rwx-network":                                 {applied: byProgress, json: true, zero: true, elsewhere: true},
	"ssl-certificates":                            {applied: byHash, json: true, zero: true, secret: true},
	"ssl-parameters":                              {applied: byHash, json: true, zero: true},
	"storage-network":                             {applied: byProgress, json: true, zero: true, elsewhere: true},
	"support-bundle-expiration":                   {check: isInteger(0, most)},
	"support-bundle-file-name":                    {check: isLabel},
	"support-bundle-image":                        {json: true, zero: true},
	"support-bundle-node-collection-timeout":      {check: isInteger(0, most)},
	"support-bundle-timeout":                      {check: isInteger(0, most)},
	"upgrade-config":                              {json: true, zero: true, elsewhere: true},
	"vip-pools":                                   {applied: byHash, json: true},
	"vm-force-reset-policy":                       {json: true, zero: true},
	"vm-migration-network":                        {applied: byProgress, json: true, zero: true, elsewhere: true},
	"volume-snapshot-class":                       {elsewhere: true},

	"api-ui-version":             {system: true},
	"default-storage-class":      {system: true},
	"harvester-csi-ccm-versions": {system: true},
	api.SettingServerVersion:     {system: true},
	"ui-plugin-bundled-version":  {system: true},
	"upgradable-versions":        {system: true},
}

// of is what is known of a setting. What is not known of one of a later Harvester may depend on anything.
func of(name string) knowledge {
	if k, found := known[name]; found {
		return k
	}
	return knowledge{elsewhere: true}
}
