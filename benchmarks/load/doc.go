// Package load is a load generator that is never the bottleneck: one thread, raw
// sockets, one epoll set, requests that were built before the clock ran, and
// answers that are counted by their length and not parsed. The first answer of each
// connection is compared byte for byte, so that a server cannot be fast by being
// wrong.
//
// Each function puts one kind of load on a server and returns a Report:
//
//   - Run: requests and answers on lasting connections, HTTP or WebSocket;
//   - Connect: connections that come and go;
//   - Fanout: one message for all of many connections;
//   - Idle: many connections that are silent, most of them.
//
// It runs on Linux, and reads the server's processor time and memory from the
// operating system: server and load must run on one machine.
package load
