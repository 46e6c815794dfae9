package server

import (
	"github.com/portico-go/portico/protocol"
)

// detect finds out from the first bytes what the connection speaks: a protocol,
// or HTTP if speaksHTTP, or nothing that is served here.
//
// A protocol that needs more bytes keeps those behind it waiting, so that the
// outcome does not depend on how the bytes came.
func (p *port) detect(prefix []byte) (proto protocol.Protocol, speaksHTTP, decided bool) {
	for _, proto := range p.protocols {
		switch proto.Detect(prefix) {
		case protocol.Yes:
			return proto, false, true
		case protocol.More:
			if len(prefix) < protocol.MaxDetect {
				return nil, false, false
			}
		}
	}
	return nil, p.http != nil && looksLikeHTTP(prefix), true
}

// looksLikeHTTP reports whether a connection begins as an HTTP request does: with
// a method. Whether it really is one, or answered with 400, HTTP itself finds out.
func looksLikeHTTP(prefix []byte) bool {
	return prefix[0] >= 'A' && prefix[0] <= 'Z' || prefix[0] >= 'a' && prefix[0] <= 'z'
}
