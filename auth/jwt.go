package auth

import (
	"context"
	"crypto/ed25519"
	"crypto/rsa"
	"errors"
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// A JWTConfig says which JSON Web Tokens (RFC 7519) are good.
type JWTConfig struct {
	// Algorithm is the only one that is accepted, whatever a token's header says:
	// "HS256", "RS256" or "EdDSA". There is no default.
	Algorithm string
	// Keys verify the signatures; one that fits is enough, so keys can be rotated.
	// []byte of 32 or more for HS256, *rsa.PublicKey of 2048 bits or more for RS256,
	// ed25519.PublicKey for EdDSA. At least one is needed. The slices are kept.
	Keys []any
	// Issuer, if set, must be the token's "iss".
	Issuer string
	// Audience, if set, must be in the token's "aud".
	Audience string
	// Leeway is the difference of clocks that "exp", "nbf" and "iat" allow.
	// Default none.
	Leeway time.Duration
	// InsecureNoExpiry accepts tokens without "exp", which are good for ever.
	InsecureNoExpiry bool
	// User returns the user that a good token belongs to. subject is "sub", which
	// must not be empty; claims are all of them. ErrNoUser means that there is no
	// such user (any more). Backend.Get without its claims is often the one.
	User func(ctx context.Context, subject string, claims map[string]any) (User, error)
}

// JWT returns a Verifier of JSON Web Tokens, or what is wrong with the
// configuration.
func JWT(config JWTConfig) (Verifier, error) {
	if err := config.check(); err != nil {
		return nil, err
	}
	options := []jwt.ParserOption{
		jwt.WithValidMethods([]string{config.Algorithm}),
		jwt.WithLeeway(config.Leeway),
		jwt.WithIssuedAt(),
		jwt.WithStrictDecoding(),
	}
	if !config.InsecureNoExpiry {
		options = append(options, jwt.WithExpirationRequired())
	}
	if config.Issuer != "" {
		options = append(options, jwt.WithIssuer(config.Issuer))
	}
	if config.Audience != "" {
		options = append(options, jwt.WithAudience(config.Audience))
	}
	parser := jwt.NewParser(options...)
	keys := jwt.VerificationKeySet{}
	for _, key := range config.Keys {
		keys.Keys = append(keys.Keys, key)
	}
	return func(ctx context.Context, token string) (User, error) {
		return config.verify(ctx, parser, keys, token)
	}, nil
}

// maxJWT bounds what is decoded. No header that carries a token is larger.
const maxJWT = 8192

func (c *JWTConfig) verify(ctx context.Context, parser *jwt.Parser, keys jwt.VerificationKeySet, token string) (User, error) {
	if len(token) > maxJWT {
		return nil, ErrCredentials
	}
	claims := jwt.MapClaims{}
	if _, err := parser.ParseWithClaims(token, claims, func(*jwt.Token) (any, error) { return keys, nil }); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCredentials, err)
	}
	subject, err := claims.GetSubject()
	if err != nil || subject == "" {
		return nil, fmt.Errorf("%w: the token has no subject", ErrCredentials)
	}
	return c.User(ctx, subject, claims)
}

func (c *JWTConfig) check() error {
	if c.User == nil {
		return errors.New("auth: JWTConfig.User is needed to say who a token belongs to")
	}
	if c.Leeway < 0 {
		return errors.New("auth: JWTConfig.Leeway must not be negative")
	}
	if len(c.Keys) == 0 {
		return errors.New("auth: JWTConfig.Keys needs at least one key")
	}
	for i, key := range c.Keys {
		if err := c.checkKey(key); err != nil {
			return fmt.Errorf("auth: JWTConfig.Keys[%d]: %w", i, err)
		}
	}
	return nil
}

func (c *JWTConfig) checkKey(key any) error {
	switch c.Algorithm {
	case "HS256":
		if k, ok := key.([]byte); !ok || len(k) < 32 {
			return errors.New("HS256 needs []byte of 32 bytes or more (RFC 7518, section 3.2)")
		}
	case "RS256":
		if k, ok := key.(*rsa.PublicKey); !ok || k == nil || k.N.BitLen() < 2048 {
			return errors.New("RS256 needs a *rsa.PublicKey of 2048 bits or more (RFC 7518, section 3.3)")
		}
	case "EdDSA":
		if k, ok := key.(ed25519.PublicKey); !ok || len(k) != ed25519.PublicKeySize {
			return errors.New("EdDSA needs an ed25519.PublicKey")
		}
	default:
		return fmt.Errorf("the algorithm %q is none of HS256, RS256 and EdDSA", c.Algorithm)
	}
	return nil
}
