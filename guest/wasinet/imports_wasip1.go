package wasinet

import (
	"net/netip"
	"runtime"
	"sync"
	"syscall"
	"unsafe"
)

// The WasmEdge sockets extension, in its first version (addresses of 4 or 16
// bytes): WasmEdge lib/host/wasi/wasimodule.cpp, thirdparty/wasi/api.hpp.
// sock_accept and sock_shutdown come with Go's own syscall package.

//go:wasmimport wasi_snapshot_preview1 sock_open
func sockOpen(family, sotype uint32, fd unsafe.Pointer) uint32

//go:wasmimport wasi_snapshot_preview1 sock_bind
func sockBind(fd uint32, addr unsafe.Pointer, port uint32) uint32

//go:wasmimport wasi_snapshot_preview1 sock_listen
func sockListen(fd, backlog uint32) uint32

//go:wasmimport wasi_snapshot_preview1 sock_connect
func sockConnect(fd uint32, addr unsafe.Pointer, port uint32) uint32

//go:wasmimport wasi_snapshot_preview1 sock_getlocaladdr
func sockGetLocalAddr(fd uint32, addr, family, port unsafe.Pointer) uint32

//go:wasmimport wasi_snapshot_preview1 sock_getpeeraddr
func sockGetPeerAddr(fd uint32, addr, family, port unsafe.Pointer) uint32

//go:wasmimport wasi_snapshot_preview1 sock_getsockopt
func sockGetSockOpt(fd, level, name uint32, value, size unsafe.Pointer) uint32

//go:wasmimport wasi_snapshot_preview1 sock_setsockopt
func sockSetSockOpt(fd, level, name uint32, value unsafe.Pointer, size uint32) uint32

//go:wasmimport wasi_snapshot_preview1 sock_getaddrinfo
func sockGetAddrInfo(node unsafe.Pointer, nodeLen uint32, service unsafe.Pointer, serviceLen uint32,
	hints, res unsafe.Pointer, maxRes uint32, resLen unsafe.Pointer) uint32

// __wasi_address_family_t, __wasi_sock_type_t and socket options; the level of
// all of them is 0.
const (
	familyUnspec = 0
	familyInet4  = 1
	familyInet6  = 2

	typeDatagram = 1
	typeStream   = 2

	optReuseAddr = 0
	optError     = 2

	// What the address queries write for an IPv4 address, for IPv6 it is 6.
	answerInet4 = 4
)

// memory is what the host reads and writes. The host's pointers are 32 bits
// wide and Go's are 64, so pointers inside structures are stored as numbers
// that the garbage collector doesn't see, and a goroutine's stack moves: the
// memory is global, and one call at a time uses it.
var memory struct {
	sync.Mutex
	fd, family, port, value, size uint32
	addr                          struct{ buf, size uint32 }
	bytes                         [16]byte
	lookup                        lookupMemory
}

func address32(p unsafe.Pointer) uint32 { return uint32(uintptr(p)) }

func errnoError(call string, errno uint32) error {
	if errno == 0 {
		return nil
	}
	return &callError{call: call, errno: syscall.Errno(errno)}
}

// callError is a failed host call. It says the call's name, as
// os.SyscallError does.
type callError struct {
	call  string
	errno syscall.Errno
}

func (e *callError) Error() string   { return e.call + ": " + e.errno.Error() }
func (e *callError) Unwrap() error   { return e.errno }
func (e *callError) Timeout() bool   { return e.errno.Timeout() }
func (e *callError) Temporary() bool { return e.errno.Temporary() }

func openSocket(family, sotype uint32) (int, error) {
	memory.Lock()
	defer memory.Unlock()
	if errno := sockOpen(family, sotype, unsafe.Pointer(&memory.fd)); errno != 0 {
		return -1, errnoError("sock_open", errno)
	}
	fd := int(memory.fd)
	if err := syscall.SetNonblock(fd, true); err != nil {
		syscall.Close(fd)
		return -1, &callError{"fd_fdstat_set_flags", err.(syscall.Errno)}
	}
	return fd, nil
}

// putAddress makes memory.addr hold ip. Preconditions: memory is locked.
func putAddress(ip netip.Addr) {
	n := copy(memory.bytes[:], ip.AsSlice())
	memory.addr.buf = address32(unsafe.Pointer(&memory.bytes))
	memory.addr.size = uint32(n)
}

func bind(fd int, ap netip.AddrPort) error {
	memory.Lock()
	defer memory.Unlock()
	putAddress(ap.Addr())
	return errnoError("sock_bind", sockBind(uint32(fd), unsafe.Pointer(&memory.addr), uint32(ap.Port())))
}

func listen(fd, backlog int) error {
	return errnoError("sock_listen", sockListen(uint32(fd), uint32(backlog)))
}

func connect(fd int, ap netip.AddrPort) error {
	memory.Lock()
	defer memory.Unlock()
	putAddress(ap.Addr())
	return errnoError("sock_connect", sockConnect(uint32(fd), unsafe.Pointer(&memory.addr), uint32(ap.Port())))
}

// setReuseAddr lets a listener follow an earlier one of the same port at once,
// as Go's listeners do elsewhere. A host without the option is no error.
func setReuseAddr(fd int) {
	memory.Lock()
	defer memory.Unlock()
	memory.value = 1
	sockSetSockOpt(uint32(fd), 0, optReuseAddr, unsafe.Pointer(&memory.value), 4)
}

// socketError takes the socket's pending error: nil if there is none.
func socketError(fd int) error {
	memory.Lock()
	defer memory.Unlock()
	memory.value, memory.size = 0, 4
	if errno := sockGetSockOpt(uint32(fd), 0, optError, unsafe.Pointer(&memory.value), unsafe.Pointer(&memory.size)); errno != 0 {
		return errnoError("sock_getsockopt", errno)
	}
	return errnoError("sock_connect", memory.value)
}

// query is sockGetLocalAddr or sockGetPeerAddr.
type query func(fd uint32, addr, family, port unsafe.Pointer) uint32

func getAddress(call string, ask query, fd int) (netip.AddrPort, error) {
	memory.Lock()
	defer memory.Unlock()
	memory.addr.buf = address32(unsafe.Pointer(&memory.bytes))
	memory.addr.size = uint32(len(memory.bytes))
	errno := ask(uint32(fd), unsafe.Pointer(&memory.addr), unsafe.Pointer(&memory.family), unsafe.Pointer(&memory.port))
	if errno != 0 {
		return netip.AddrPort{}, errnoError(call, errno)
	}
	ip := netip.AddrFrom16(memory.bytes).Unmap()
	if memory.family == answerInet4 {
		ip = netip.AddrFrom4([4]byte(memory.bytes[:4]))
	}
	return netip.AddrPortFrom(ip, uint16(memory.port)), nil
}

func localAddress(fd int) (netip.AddrPort, error) {
	return getAddress("sock_getlocaladdr", sockGetLocalAddr, fd)
}

func peerAddress(fd int) (netip.AddrPort, error) {
	return getAddress("sock_getpeeraddr", sockGetPeerAddr, fd)
}

// maxAddresses is how many addresses of a name are asked for.
const maxAddresses = 16

// sockaddr is __wasi_sockaddr_t: 12 bytes.
type sockaddr struct {
	family uint8
	_      [3]byte
	size   uint32
	data   uint32
}

// addrinfo is __wasi_addrinfo_t: 28 bytes.
type addrinfo struct {
	flags                              uint16
	family, sotype, protocol           uint8
	_                                  [3]byte
	addrlen, addr, name, nameLen, next uint32
}

// lookupMemory is a chain of empty answers that the host fills.
type lookupMemory struct {
	hints    addrinfo
	res, num uint32
	infos    [maxAddresses]addrinfo
	addrs    [maxAddresses]sockaddr
	data     [maxAddresses][26]byte
	names    [maxAddresses][64]byte
}

func (m *lookupMemory) reset(family uint32) {
	*m = lookupMemory{}
	m.hints.family = uint8(family)
	m.hints.sotype = typeStream
	m.res = address32(unsafe.Pointer(&m.infos))
	for i := range m.infos {
		m.addrs[i] = sockaddr{size: uint32(len(m.data[i])), data: address32(unsafe.Pointer(&m.data[i]))}
		info := &m.infos[i]
		info.addr = address32(unsafe.Pointer(&m.addrs[i]))
		info.addrlen = uint32(unsafe.Sizeof(m.addrs[i]))
		info.name = address32(unsafe.Pointer(&m.names[i]))
		info.nameLen = uint32(len(m.names[i]))
		if i+1 < len(m.infos) {
			info.next = address32(unsafe.Pointer(&m.infos[i+1]))
		}
	}
}

// getAddrInfo asks the host for name's addresses.
func getAddrInfo(name string, family uint32) ([]netip.Addr, error) {
	memory.Lock()
	defer memory.Unlock()
	m := &memory.lookup
	m.reset(family)
	// The strings end with a zero byte, which the lengths count: WasmEdge hands
	// the pointers to the system's getaddrinfo.
	node, service := append([]byte(name), 0), []byte{0}
	errno := sockGetAddrInfo(unsafe.Pointer(&node[0]), uint32(len(node)), unsafe.Pointer(&service[0]), uint32(len(service)),
		unsafe.Pointer(&m.hints), unsafe.Pointer(&m.res), maxAddresses, unsafe.Pointer(&m.num))
	runtime.KeepAlive(node)
	runtime.KeepAlive(service)
	if errno != 0 {
		return nil, errnoError("sock_getaddrinfo", errno)
	}
	var ips []netip.Addr
	for i := range min(m.num, maxAddresses) {
		// What follows the family in a sockaddr_in, or in a sockaddr_in6, where
		// four bytes of flow stand between the port and the address.
		switch data := m.data[i][2:]; m.addrs[i].family {
		case familyInet4:
			ips = append(ips, netip.AddrFrom4([4]byte(data[:4])))
		case familyInet6:
			ips = append(ips, netip.AddrFrom16([16]byte(data[4:20])))
		}
	}
	return ips, nil
}
