// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

// Package sqlite stands where steve's cache in SQL wants SQLite: a translation from C that takes a sixth of the sandbox's whole
// compilation. Harvester leaves that cache off (steve's option SQLCache), so nothing here is ever called; a database that is
// opened all the same fails, because there is no driver.
package sqlite

import "database/sql/driver"

// FunctionContext is what a function of the database gets.
type FunctionContext struct{}

// RegisterDeterministicScalarFunction takes no notice of the function: there is no database to call it.
func RegisterDeterministicScalarFunction(string, int32, func(*FunctionContext, []driver.Value) (driver.Value, error)) error {
	return nil
}
