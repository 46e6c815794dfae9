package server

import (
	"errors"
	"os"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/portico-go/portico/protocol"
)

// defaultLogger writes warnings and errors as JSON to standard error.
func defaultLogger() *zap.Logger {
	encoder := zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig())
	return zap.New(zapcore.NewCore(encoder, zapcore.Lock(os.Stderr), zap.WarnLevel))
}

// A logObserver logs what goes wrong, and tells another observer of everything.
type logObserver struct {
	log  *zap.Logger
	next protocol.Observer // nil is nobody
}

// Observe implements protocol.Observer.
func (o logObserver) Observe(ob protocol.Observation) {
	switch ob.Kind {
	case protocol.Failed:
		o.failed(ob)
	case protocol.Refused:
		if ce := o.log.Check(zap.DebugLevel, "refused"); ce != nil {
			fields := about(ob.Conn)
			if r, ok := errors.AsType[*protocol.Reject](ob.Err); ok {
				fields = append(fields, zap.Int("status", r.StatusOrDefault()), zap.Bool("no_route", protocol.IsNoRoute(r)))
			}
			ce.Write(fields...)
		}
	case protocol.Dropped:
		o.log.Warn("dropped a message", append(about(ob.Conn), zap.Error(ob.Err))...)
	}
	if o.next != nil {
		o.next.Observe(ob)
	}
}

// failed logs an error of an application, once.
func (o logObserver) failed(ob protocol.Observation) {
	fields := append(about(ob.Conn), zap.Error(ob.Err))
	if p, ok := errors.AsType[*protocol.PanicError](ob.Err); ok {
		fields = append(fields, zap.ByteString("stack", p.Stack))
	}
	o.log.Error("the application failed", fields...)
}

// about returns what a log line says of a connection: nothing that its client
// could have put a secret into.
func about(c *protocol.Conn) []zap.Field {
	req := c.Request()
	return []zap.Field{
		zap.String("protocol", req.Protocol),
		zap.String("route", c.Route()),
		zap.String("connection", c.ID()),
		zap.Stringer("client", req.Client),
	}
}

// httpLogger writes what fasthttp has to say at debug level.
type httpLogger struct{ log *zap.SugaredLogger }

// Printf implements fasthttp.Logger.
func (l httpLogger) Printf(format string, args ...any) { l.log.Debugf(format, args...) }
