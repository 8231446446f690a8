// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package setting

import (
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
)

// most is the largest number that Harvester reads for most settings.
const most = math.MaxInt32

// wrong lists what is wrong with a value that can be told without a cluster. It never repeats the value.
func (k knowledge) wrong(value string) []string {
	if value == "" {
		return nil
	}
	if k.json {
		if fault := jsonFault(value); fault != "" {
			return []string{fault}
		}
	}
	if k.check != nil {
		return k.check(value)
	}
	return nil
}

// jsonFault says why a value is no JSON object; "" if it is one.
func jsonFault(value string) string {
	var object map[string]any
	err := json.Unmarshal([]byte(value), &object)
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		at := value[:min(int(syntax.Offset), len(value))]
		return fmt.Sprintf("it must be JSON, and is not from line %d, byte %d on; jsonencode() makes JSON of a Terraform object",
			strings.Count(at, "\n")+1, len(at)-strings.LastIndex(at, "\n")-1)
	}
	if err != nil || object == nil {
		return "it must be a JSON object, as in {\"key\": \"value\"}; jsonencode() makes one of a Terraform object"
	}
	return ""
}

func isOneOf(values ...string) func(string) []string {
	return func(value string) []string {
		if slices.Contains(values, value) {
			return nil
		}
		return []string{"it must be one of " + strings.Join(values, ", ")}
	}
}

func isInteger(least, most int64) func(string) []string {
	return func(value string) []string {
		if n, err := strconv.ParseInt(value, 10, 64); err != nil || n < least || n > most {
			return []string{fmt.Sprintf("it must be a whole number from %d to %d", least, most)}
		}
		return nil
	}
}

// isRatio is the rule of additional-guest-memory-overhead-ratio.
func isRatio(value string) []string {
	n, err := strconv.ParseFloat(value, 64)
	if err != nil || n != 0 && (n < 1 || n > 10) {
		return []string{"it must be 0, or a number from 1.0 to 10.0"}
	}
	return nil
}

// isLabel is the rule of support-bundle-file-name.
func isLabel(value string) []string {
	if len(validation.IsDNS1123Label(value)) > 0 {
		return []string{"it must have lower case letters, digits and - only, 63 at most"}
	}
	return nil
}

// isCertificate looks for one certificate in PEM form. Harvester does not, and hands it to every client as it is.
func isCertificate(value string) []string {
	if block, _ := pem.Decode([]byte(value)); block == nil || block.Type != "CERTIFICATE" {
		return []string{"it must be a certificate in PEM form, which begins with -----BEGIN CERTIFICATE-----"}
	}
	return nil
}

// member checks a number in a JSON object, if it is there.
func member(key string, least, most float64) func(string) []string {
	return func(value string) []string {
		var object map[string]any
		_ = json.Unmarshal([]byte(value), &object) // what is no JSON was told
		if n, isNumber := object[key].(float64); isNumber && (n < least || n > most || n != math.Trunc(n)) {
			return []string{fmt.Sprintf("its %s must be a whole number from %.0f to %.0f", key, least, most)}
		}
		return nil
	}
}

// backupTarget are the fields of backup-target that its type decides on.
type backupTarget struct {
	Type, Endpoint, AccessKeyID, SecretAccessKey, BucketName, BucketRegion string
	RefreshIntervalInSeconds                                               int64
}

// isBackupTarget has the rules of H:pkg/webhook/resources/setting/validator.go, validateBackupTargetFields.
func isBackupTarget(value string) (wrong []string) {
	var t backupTarget
	if err := json.Unmarshal([]byte(value), &t); err != nil {
		return []string{"one of its members has another type than Harvester expects"}
	}
	if t.RefreshIntervalInSeconds < 0 {
		wrong = append(wrong, "its refreshIntervalInSeconds must not be less than 0")
	}
	switch t.Type {
	case "s3":
		if t.BucketName == "" || t.BucketRegion == "" {
			wrong = append(wrong, "the type s3 needs bucketName and bucketRegion")
		}
		if (t.AccessKeyID == "") != (t.SecretAccessKey == "") {
			wrong = append(wrong, "the type s3 needs both accessKeyId and secretAccessKey")
		}
	case "nfs":
		if t.Endpoint == "" {
			wrong = append(wrong, "the type nfs needs an endpoint, as in nfs://nas.example.com:/backups")
		}
		if t.AccessKeyID+t.SecretAccessKey+t.BucketName+t.BucketRegion != "" {
			wrong = append(wrong, "the type nfs has no accessKeyId, secretAccessKey, bucketName or bucketRegion")
		}
	case "":
		if t != (backupTarget{}) {
			wrong = append(wrong, "its type must be s3 or nfs")
		}
	default:
		wrong = append(wrong, "its type must be s3 or nfs")
	}
	return wrong
}
