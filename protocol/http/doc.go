// Package http serves Applications over HTTP, on fasthttp.
package http
