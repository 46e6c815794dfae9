package redis

import (
	"context"
	"crypto/rand"
	_ "embed"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"github.com/portico-go/portico/channellayer"
)

var _ channellayer.Log = (*Broker)(nil)

// The log of a subject is a hash, which says where it ends, and a stream, whose ids are an entry's offset and the time in milliseconds. An idempotency key is a key of its own.
// All have one hash tag, and so one slot. Each script is one atomic step; what it publishes leaves after what it wrote, also with an append-only file.
var (
	//go:embed log.lua
	logFunctions string
	//go:embed append.lua
	appendBody string
	//go:embed read.lua
	readBody string

	appendScript = rueidis.NewLuaScript(logFunctions + appendBody)
	readScript   = rueidis.NewLuaScript(logFunctions + readBody)
)

// logSubject is how the subjects of groups with history begin.
const logSubject = "h."

// pageBytes is how much a page may hold before it ends early.
const pageBytes = 1 << 20

var errAnswer = errors.New("redis: a script answered what it never does")

// logKey returns the key of a part of a subject's log. With Sharded it has the hash tag of the subject's channel.
func (b *Broker) logKey(subject, part string) string {
	if b.options.Sharded {
		return b.channel(subject) + ":" + part
	}
	return b.options.Prefix + "{" + subject + "}:" + part
}

// Append implements channellayer.Log.
func (b *Broker) Append(ctx context.Context, subject string, keep channellayer.Retention, r channellayer.Record) (channellayer.Position, error) {
	keys := []string{b.logKey(subject, "top"), b.logKey(subject, "log")}
	if r.Key != "" {
		keys = append(keys, b.logKey(subject, "key:"+r.Key))
	}
	answer, err := b.script(ctx, appendScript, keys,
		rand.Text()[:epochLength], millis(keep.Age), millis(keep.TopAge()), strconv.Itoa(keep.Size),
		r.Tag, rueidis.BinaryString(r.Envelope), millis(channellayer.DedupWindow), b.publish(), b.channel(subject))
	if err != nil {
		return channellayer.Position{}, fmt.Errorf("redis: append: %w", err)
	}
	text, err := answer.ToString()
	if err != nil {
		return channellayer.Position{}, fmt.Errorf("%w: %w", errAnswer, err)
	}
	return channellayer.ParsePosition(text)
}

// Read implements channellayer.Log.
func (b *Broker) Read(ctx context.Context, subject string, keep channellayer.Retention, from uint64, limit int) (channellayer.Page, error) {
	answer, err := b.script(ctx, readScript, []string{b.logKey(subject, "top"), b.logKey(subject, "log")},
		rand.Text()[:epochLength], millis(keep.Age), millis(keep.TopAge()), strconv.Itoa(keep.Size),
		strconv.FormatUint(from, 10), strconv.Itoa(limit), strconv.Itoa(pageBytes))
	if err != nil {
		return channellayer.Page{}, fmt.Errorf("redis: read the log: %w", err)
	}
	page, err := parsePage(answer)
	if err != nil {
		return channellayer.Page{}, fmt.Errorf("%w: %w", errAnswer, err)
	}
	return page, nil
}

// script runs a script, which the server may have to be told first.
func (b *Broker) script(ctx context.Context, script *rueidis.Lua, keys []string, args ...string) (rueidis.RedisMessage, error) {
	s := b.session.Load()
	if s == nil {
		return rueidis.RedisMessage{}, errAway
	}
	ctx, cancel := context.WithTimeout(ctx, silence)
	defer cancel()
	return script.Exec(ctx, s.client, keys, args).ToMessage()
}

// epochLength is that of an epoch: 65 bits from crypto/rand.
const epochLength = 13

func millis(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

// parsePage reads the answer of read.lua: where the log ends, whether there are more entries, and for each its id, tag, previous tag and envelope.
func parsePage(answer rueidis.RedisMessage) (channellayer.Page, error) {
	parts, err := answer.ToArray()
	if err != nil {
		return channellayer.Page{}, err
	}
	if len(parts) < 2 || len(parts)%4 != 2 {
		return channellayer.Page{}, fmt.Errorf("%d parts", len(parts))
	}
	text := make([]string, len(parts))
	for i := range parts {
		if text[i], err = parts[i].ToString(); err != nil {
			return channellayer.Page{}, err
		}
	}
	page := channellayer.Page{More: text[1] == "more"}
	if page.Top, err = channellayer.ParsePosition(text[0]); err != nil {
		return channellayer.Page{}, err
	}
	for i := 2; i < len(text); i += 4 {
		offset, _, _ := strings.Cut(text[i], "-")
		p, err := channellayer.ParsePosition(page.Top.Epoch + "." + offset + "." + text[i+1])
		if err != nil {
			return channellayer.Page{}, err
		}
		page.Entries = append(page.Entries, channellayer.Entry{Position: p, Previous: p.Offset - 1, PreviousTag: text[i+2], Envelope: []byte(text[i+3])})
	}
	return page, nil
}

// entry delivers what append.lua has published: a position, a line break, and the envelope. Anything else is not from a log.
func (l *lane) entry(subject, message string) {
	position, envelope, ok := strings.Cut(message, "\n")
	if p, err := channellayer.ParsePosition(position); ok && err == nil && p.Offset > 0 {
		l.receiver.Entry(subject, channellayer.Entry{Position: p, Previous: p.Offset - 1, Envelope: []byte(envelope)})
	}
}
