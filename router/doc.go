// Package router leads connections to applications: by protocol, by path, by
// channel.
package router
