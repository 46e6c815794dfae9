package msgpack

import (
	"bytes"
	"fmt"

	"github.com/vmihailenco/msgpack/v5"

	"github.com/portico-go/portico/channellayer"
)

// Codec is MessagePack for a [channellayer.Config]. Its zero value is ready, and safe for concurrent use.
//
// Numbers and floats have their shortest form, and keys of a map[string]any come sorted, so that equal values have equal bytes. Decoded into an any, whole
// numbers become int64 or uint64, other numbers float64, maps map[string]any, and byte strings []byte.
type Codec struct{}

var _ channellayer.Codec = Codec{}

const fallbackTag = "json"

// Encode returns v as MessagePack. It fails for functions, channels and what contains them, and for what Decode would refuse.
func (Codec) Encode(v any) ([]byte, error) {
	var out bytes.Buffer
	enc := msgpack.GetEncoder()
	defer msgpack.PutEncoder(enc)
	enc.Reset(&out)
	enc.SetCustomStructTag(fallbackTag)
	enc.SetSortMapKeys(true)
	enc.UseCompactInts(true)
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("msgpack: %w", err)
	}
	if err := check(out.Bytes()); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// Decode fills the value that v points to from data, which must be one value of MessagePack and nothing more.
func (Codec) Decode(data []byte, v any) error {
	if err := check(data); err != nil {
		return err
	}
	dec := msgpack.GetDecoder()
	defer msgpack.PutDecoder(dec)
	dec.Reset(bytes.NewReader(data))
	dec.SetCustomStructTag(fallbackTag)
	dec.UseLooseInterfaceDecoding(true)
	if err := dec.Decode(v); err != nil {
		return fmt.Errorf("msgpack: %w", err)
	}
	return nil
}
