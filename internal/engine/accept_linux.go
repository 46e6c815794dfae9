package engine

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// accept accepts a connection from a listening socket that does not block. Those that
// were gone before are passed over, as net does it. from is not valid but for TCP.
// It allocates nothing, which unix.Accept4 does for each connection several times.
func accept(ln uintptr) (fd int32, from netip.AddrPort, err error) {
	for {
		var addr unix.RawSockaddrAny
		size := uint32(unix.SizeofSockaddrAny)
		n, _, errno := syscall.RawSyscall6(unix.SYS_ACCEPT4, ln,
			uintptr(unsafe.Pointer(&addr)), uintptr(unsafe.Pointer(&size)), //nolint:gosec // both are alive as long as the call
			unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0, 0)
		switch {
		case errno == 0:
			return int32(n), addrPort(&addr), nil
		case !errors.Is(errno, unix.EINTR) && !errors.Is(errno, unix.ECONNABORTED):
			return -1, from, errno
		}
	}
}

// localAddr returns the address of a socket's own end, as accept returns the peer's.
func localAddr(fd int32) netip.AddrPort {
	var addr unix.RawSockaddrAny
	size := uint32(unix.SizeofSockaddrAny)
	_, _, errno := syscall.RawSyscall(unix.SYS_GETSOCKNAME, uintptr(fd),
		uintptr(unsafe.Pointer(&addr)), uintptr(unsafe.Pointer(&size))) //nolint:gosec // both are alive as long as the call
	if errno != 0 {
		return netip.AddrPort{}
	}
	return addrPort(&addr)
}

// addrPort returns a TCP address, or the zero value.
func addrPort(addr *unix.RawSockaddrAny) netip.AddrPort {
	switch addr.Addr.Family {
	case unix.AF_INET:
		a := (*unix.RawSockaddrInet4)(unsafe.Pointer(addr)) //nolint:gosec // as the family says
		return netip.AddrPortFrom(netip.AddrFrom4(a.Addr), hostPort(a.Port))
	case unix.AF_INET6:
		a := (*unix.RawSockaddrInet6)(unsafe.Pointer(addr)) //nolint:gosec // as the family says
		return netip.AddrPortFrom(netip.AddrFrom16(a.Addr).Unmap(), hostPort(a.Port))
	}
	return netip.AddrPort{}
}

// hostPort is a port as the kernel has it: in the order of the network.
func hostPort(port uint16) uint16 {
	var b [2]byte
	binary.NativeEndian.PutUint16(b[:], port)
	return binary.BigEndian.Uint16(b[:])
}
