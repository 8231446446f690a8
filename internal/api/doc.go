// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

// Package api holds the Kubernetes types this provider reads and writes, one
// file per kind. Structs name only the fields in use: an object read into one
// of them must never be sent back whole, so writes are creates or merge patches.
package api
