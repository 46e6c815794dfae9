package auth

import "fmt"

// TakeAllHashing takes the places of all hashes that may be computed at a time.
func TakeAllHashing() (release func()) {
	for range cap(hashing) {
		hashing <- struct{}{}
	}
	return func() {
		for range cap(hashing) {
			<-hashing
		}
	}
}

// ReprintPasswordHash parses a hash and prints an argon2id one again. ok is whether
// it could be read.
func ReprintPasswordHash(encoded string) (again string, ok bool) {
	h, err := parsePasswordHash(encoded)
	if err != nil {
		return "", false
	}
	if s, isArgon := h.(fmt.Stringer); isArgon {
		return s.String(), true
	}
	return "", true
}
