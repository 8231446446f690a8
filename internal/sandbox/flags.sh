# Copyright (c) the terraform-provider-harvester authors
# SPDX-License-Identifier: MPL-2.0
# shellcheck shell=bash
#
# How this module is compiled, by whatever compiles it, so that all of it is compiled once: building, tests, vet, lint.
# Sourced. Without inlining and without what debuggers need, 3300 packages take two thirds of the time.
export GOFLAGS="'-gcflags=all=-dwarf=false -l' -gcflags=std="
