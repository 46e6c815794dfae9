package auth

import (
	"context"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/crypto/argon2"
)

// The cost of a new hash: 19 MiB and two passes, OWASP's recommendation for
// argon2id.
const (
	argonMemory  = 19 << 10 // KiB
	argonPasses  = 2
	argonThreads = 1
	saltBytes    = 16
	hashBytes    = 32
)

// Limits of what a stored hash may ask for, so that one that was tampered with
// cannot stop the process.
const (
	maxArgonMemory  = 1 << 20 // KiB
	maxArgonPasses  = 64
	maxArgonThreads = 64
	maxIterations   = 20_000_000
	maxHashBytes    = 128
	maxPassword     = 4096
)

var errPHC = errors.New("auth: the stored password hash is neither $argon2id$ nor pbkdf2_sha256$, or is malformed")

// hashing holds a place for each hash that is computed at the same time: memory is
// the process's, so this limit is too.
var hashing = make(chan struct{}, min(8, runtime.GOMAXPROCS(0)))

// HashPassword returns the argon2id hash of a password with a new salt, as a PHC
// string ("$argon2id$v=19$m=…"). It takes some 20 ms of a core and 19 MiB; a few
// run at a time and others wait, until ctx is cancelled. Passwords of more than
// 4096 bytes are an error.
func HashPassword(ctx context.Context, password string) (string, error) {
	if len(password) > maxPassword {
		return "", fmt.Errorf("auth: the password has %d bytes, at most %d are allowed", len(password), maxPassword)
	}
	var salt [saltBytes]byte
	_, _ = rand.Read(salt[:]) // never fails: it ends the program rather
	h := argonHash{memory: argonMemory, passes: argonPasses, threads: argonThreads, salt: salt[:], sum: make([]byte, hashBytes)}
	sum, err := compute(ctx, h, password)
	if err != nil {
		return "", err
	}
	h.sum = sum
	return h.String(), nil
}

// VerifyPassword returns nil if encoded, the hash of a password, is that of this
// one, and ErrCredentials if not. It reads HashPassword's strings, argon2id PHC
// strings of others, and Django's pbkdf2_sha256. An empty encoded is never right
// but costs what another one does: use it for users that do not exist. It waits as
// HashPassword does. Any other error is ctx's, or a hash that cannot be read.
func VerifyPassword(ctx context.Context, encoded, password string) error {
	if len(password) > maxPassword {
		return ErrCredentials
	}
	exists := encoded != ""
	var h passwordHash = argonHash{memory: argonMemory, passes: argonPasses, threads: argonThreads, salt: make([]byte, saltBytes), sum: make([]byte, hashBytes)}
	if exists {
		var err error
		if h, err = parsePasswordHash(encoded); err != nil {
			return err
		}
	}
	sum, err := compute(ctx, h, password)
	if err != nil {
		return err
	}
	if subtle.ConstantTimeCompare(sum, h.want()) != 1 || !exists {
		return ErrCredentials
	}
	return nil
}

// compute runs a hash when there is room for it.
func compute(ctx context.Context, h passwordHash, password string) ([]byte, error) {
	select {
	case hashing <- struct{}{}:
		defer func() { <-hashing }()
	case <-ctx.Done():
		return nil, fmt.Errorf("auth: no room to check a password: %w", context.Cause(ctx))
	}
	return h.of(password)
}

// A passwordHash is a hash with its parameters.
type passwordHash interface {
	of(password string) ([]byte, error)
	want() []byte
}

func parsePasswordHash(encoded string) (passwordHash, error) {
	if strings.HasPrefix(encoded, "$argon2id$") {
		return parseArgon(encoded)
	}
	return parsePBKDF2(encoded)
}

// An argonHash is "$argon2id$v=19$m=KiB,t=passes,p=threads$salt$sum", the last two
// in unpadded base64 (the PHC string format).
type argonHash struct {
	memory, passes, threads uint32
	salt, sum               []byte
}

func parseArgon(encoded string) (passwordHash, error) {
	parts := strings.Split(encoded, "$")
	if len(parts) != 6 || parts[2] != "v="+strconv.Itoa(argon2.Version) {
		return nil, errPHC
	}
	params := strings.Split(parts[3], ",")
	if len(params) != 3 {
		return nil, errPHC
	}
	var h argonHash
	for i, p := range []struct {
		name  string
		value *uint32
		limit uint64
	}{{"m=", &h.memory, maxArgonMemory}, {"t=", &h.passes, maxArgonPasses}, {"p=", &h.threads, maxArgonThreads}} {
		digits, ok := strings.CutPrefix(params[i], p.name)
		n, err := strconv.ParseUint(digits, 10, 32)
		if !ok || err != nil || n == 0 || n > p.limit {
			return nil, errPHC
		}
		*p.value = uint32(n)
	}
	var errSalt, errSum error
	h.salt, errSalt = base64.RawStdEncoding.Strict().DecodeString(parts[4])
	h.sum, errSum = base64.RawStdEncoding.Strict().DecodeString(parts[5])
	if errSalt != nil || errSum != nil || len(h.salt) < 8 || len(h.salt) > maxHashBytes || len(h.sum) < 16 || len(h.sum) > maxHashBytes {
		return nil, errPHC
	}
	return h, nil
}

// String returns the PHC string.
func (h argonHash) String() string {
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, h.memory, h.passes, h.threads,
		base64.RawStdEncoding.EncodeToString(h.salt), base64.RawStdEncoding.EncodeToString(h.sum))
}

func (h argonHash) of(password string) ([]byte, error) {
	return argon2.IDKey([]byte(password), h.salt, h.passes, h.memory, uint8(h.threads), uint32(len(h.sum))), nil
}

func (h argonHash) want() []byte { return h.sum }

// A pbkdf2Hash is Django's "pbkdf2_sha256$iterations$salt$sum", the sum in padded
// base64 and the salt as it is.
type pbkdf2Hash struct {
	iterations int
	salt, sum  []byte
}

func parsePBKDF2(encoded string) (passwordHash, error) {
	parts := strings.Split(encoded, "$")
	if len(parts) != 4 || parts[0] != "pbkdf2_sha256" || parts[2] == "" || len(parts[2]) > maxHashBytes {
		return nil, errPHC
	}
	n, err := strconv.ParseUint(parts[1], 10, 32)
	if err != nil || n == 0 || n > maxIterations {
		return nil, errPHC
	}
	sum, err := base64.StdEncoding.Strict().DecodeString(parts[3])
	if err != nil || len(sum) < 16 || len(sum) > maxHashBytes {
		return nil, errPHC
	}
	return pbkdf2Hash{iterations: int(n), salt: []byte(parts[2]), sum: sum}, nil
}

func (h pbkdf2Hash) of(password string) ([]byte, error) {
	return pbkdf2.Key(sha256.New, password, h.salt, h.iterations, len(h.sum))
}

func (h pbkdf2Hash) want() []byte { return h.sum }
