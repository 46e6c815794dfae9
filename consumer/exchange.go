package consumer

import (
	"encoding/json"
	"mime"
	"net/url"

	"github.com/portico-go/portico/protocol"
	"github.com/portico-go/portico/protocol/http"
)

// An Exchange is one HTTP request with the answer to it (RFC 9110, section 3.4).
// It belongs to the functions of its consumer and is not safe for concurrent use.
type Exchange struct {
	// Header has the fields of the answer. They are sent with its beginning.
	Header protocol.Fields

	conn  *protocol.Conn
	scope *protocol.Scope
	body  []byte
	more  bool

	// Memory for an ordinary answer.
	response http.Response
	fields   [1]protocol.Field
}

// Scope returns the request's scope.
func (x *Exchange) Scope() *protocol.Scope { return x.scope }

// Conn returns the request's connection, to post to or to close.
func (x *Exchange) Conn() *protocol.Conn { return x.conn }

// Body returns the request's body: the whole, or the part that has come behind
// http.StreamBody. It is valid until the function returns.
func (x *Exchange) Body() []byte { return x.body }

// More reports whether another part of the body follows; only behind
// http.StreamBody.
func (x *Exchange) More() bool { return x.more }

// ContentType returns the request's media type in lower case, without parameters,
// or "" if there is none or it is malformed.
func (x *Exchange) ContentType() string {
	mediaType, _, err := mime.ParseMediaType(x.scope.Header("Content-Type"))
	if err != nil {
		return ""
	}
	return mediaType
}

// Form returns the body as the fields of an HTML form. A body of another type is a
// protocol.Reject with 415, a malformed one with 400.
func (x *Exchange) Form() (url.Values, error) {
	if t := x.ContentType(); t != "application/x-www-form-urlencoded" {
		return nil, protocol.Rejectf(415, "expected a form (application/x-www-form-urlencoded)")
	}
	form, err := url.ParseQuery(string(x.body))
	if err != nil {
		return nil, protocol.Rejectf(400, "the form is malformed")
	}
	return form, nil
}

// DecodeJSON decodes the body into v. A body of another type is a protocol.Reject
// with 415, one that does not decode with 400.
func (x *Exchange) DecodeJSON(v any) error {
	if t := x.ContentType(); t != "application/json" {
		return protocol.Rejectf(415, "expected JSON (application/json)")
	}
	if err := UnmarshalFraming(protocol.FramingMessage, x.body, v); err != nil {
		return &protocol.Reject{Status: 400, Reason: "invalid JSON: " + err.Error(), Err: err}
	}
	return nil
}

// Respond answers with a body, which is copied.
func (x *Exchange) Respond(status int, contentType string, body []byte) error {
	x.set("Content-Type", contentType)
	return x.answer(status, body)
}

// Text answers with plain text.
func (x *Exchange) Text(status int, text string) error {
	return x.Respond(status, "text/plain; charset=utf-8", []byte(text))
}

// JSON answers with a value as JSON.
func (x *Exchange) JSON(status int, value any) error {
	body, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return x.Respond(status, "application/json", append(body, '\n'))
}

// Redirect answers with a Location, such as 303 and "/".
func (x *Exchange) Redirect(status int, location string) error {
	x.set("Location", location)
	return x.NoContent(status)
}

// NoContent answers without a body.
func (x *Exchange) NoContent(status int) error {
	return x.answer(status, nil)
}

// Start begins an answer whose body follows with Write; see HTTP.Stream.
func (x *Exchange) Start(status int, contentType string) error {
	x.set("Content-Type", contentType)
	return x.conn.Send(&http.ResponseStart{Head: x.head(status)})
}

// Write sends a part of the body, which is copied. It does not wait for the
// client.
func (x *Exchange) Write(part []byte) error {
	return x.conn.Send(&http.ResponseBody{Body: part, More: true})
}

// End ends an answer that was begun with Start.
func (x *Exchange) End() error { return x.conn.Send(&http.ResponseBody{}) }

// set sets a field of the answer.
func (x *Exchange) set(name, value string) {
	if x.Header == nil {
		x.Header = x.fields[:0]
	}
	x.Header.Set(name, value)
}

// answer sends a whole answer.
func (x *Exchange) answer(status int, body []byte) error {
	x.response = http.Response{Head: x.head(status), Body: body}
	return x.conn.Send(&x.response)
}

func (x *Exchange) head(status int) protocol.Head {
	head := protocol.Head{Status: status, Header: x.Header}
	x.Header = nil
	return head
}
