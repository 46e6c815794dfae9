package protocol

// A CloseCode says why a connection was closed. The numbers are WebSocket's
// (RFC 6455, section 7.4, and the IANA registry); every protocol uses them.
type CloseCode int

// The registered close codes. 4000 to 4999 are the application's own.
const (
	CloseNormal           CloseCode = 1000 // the purpose is fulfilled
	CloseGoingAway        CloseCode = 1001 // the server shuts down, or the page was left
	CloseProtocolError    CloseCode = 1002
	CloseUnsupportedData  CloseCode = 1003
	CloseNoStatus         CloseCode = 1005 // the peer gave no code; never sent
	CloseAbnormal         CloseCode = 1006 // the connection broke; never sent
	CloseInvalidPayload   CloseCode = 1007 // text that is not UTF-8, for example
	ClosePolicyViolation  CloseCode = 1008
	CloseMessageTooBig    CloseCode = 1009
	CloseMissingExtension CloseCode = 1010
	CloseInternalError    CloseCode = 1011
	CloseServiceRestart   CloseCode = 1012
	CloseTryAgainLater    CloseCode = 1013 // overload; a client that is too slow
	CloseBadGateway       CloseCode = 1014
)

// Sendable reports whether the code may stand in a close frame (RFC 6455,
// section 7.4).
func (c CloseCode) Sendable() bool {
	switch {
	case c >= 3000 && c <= 4999:
		return true
	case c == 1004, c == CloseNoStatus, c == CloseAbnormal:
		return false
	}
	return c >= CloseNormal && c <= CloseBadGateway
}

// closes reports whether the code may end a connection from this side: besides
// the sendable ones, CloseNoStatus for a close without a code and CloseAbnormal
// for a connection that breaks off without a close.
func (c CloseCode) closes() bool {
	return c.Sendable() || c == CloseNoStatus || c == CloseAbnormal
}
