//go:build !linux

package server_test

// roles are what a process of the tests can be.
var roles map[string]func() int
