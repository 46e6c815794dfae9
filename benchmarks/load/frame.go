package load

import "encoding/binary"

// The first bytes of frames without fragments (RFC 6455, section 5.2).
const (
	textFrame  = 0x81
	closeFrame = 0x88
	pingFrame  = 0x89
	pongFrame  = 0x8a
)

var mask = [4]byte{0x12, 0x34, 0x56, 0x78}

// Text returns a text message of fewer than 65,536 bytes as a client sends it and
// as a server echoes it.
func Text(size int) (sent, echo []byte) {
	payload := make([]byte, size)
	for i := range payload {
		payload[i] = 'a' + byte(i%26)
	}
	return masked(textFrame, payload), append(head(textFrame, 0, size), payload...)
}

// masked returns a client's frame.
func masked(first byte, payload []byte) []byte {
	frame := append(head(first, 0x80, len(payload)), mask[:]...)
	for i, b := range payload {
		frame = append(frame, b^mask[i%4])
	}
	return frame
}

// goodbye is a client's Close with code 1000.
func goodbye() []byte { return masked(closeFrame, []byte{1000 >> 8, 1000 & 0xff}) }

func head(first, maskBit byte, size int) []byte {
	if size < 126 {
		return []byte{first, maskBit | byte(size)}
	}
	return []byte{first, maskBit | 126, byte(size >> 8), byte(size)}
}

// nextFrame takes one of a server's frames from data. first is 0 when data does not
// hold a whole frame.
func nextFrame(data []byte) (first byte, payload, rest []byte) {
	if len(data) < 2 {
		return 0, nil, data
	}
	size, at := int(data[1]), 2
	if size == 126 {
		if len(data) < 4 {
			return 0, nil, data
		}
		size, at = int(binary.BigEndian.Uint16(data[2:])), 4
	}
	if len(data) < at+size {
		return 0, nil, data
	}
	return data[0], data[at : at+size], data[at+size:]
}
