package main

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
)

//go:embed page.html
var page []byte

// policy returns a Content-Security-Policy that lets a page run the style and the
// script that are written in it, which it names by their hashes, and nothing else:
// markup that somebody smuggles into a message is not even dangerous.
func policy(page []byte) string {
	return "default-src 'none'; connect-src 'self'; img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'" +
		"; style-src " + hashOf(page, "<style>", "</style>") +
		"; script-src " + hashOf(page, `<script type="module">`, "</script>")
}

// hashOf returns the source expression of what stands between two tags.
func hashOf(page []byte, open, end string) string {
	_, rest, _ := bytes.Cut(page, []byte(open))
	text, _, _ := bytes.Cut(rest, []byte(end))
	sum := sha256.Sum256(text)
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}
