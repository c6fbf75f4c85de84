// The WasmEdge sockets extension of wasi_snapshot_preview1, first version
// (WasmEdge lib/host/wasi/wasimodule.cpp). Every call answers a WASI errno.
#ifndef SOCK_H
#define SOCK_H

#include <stdint.h>
#include <wasi/api.h>

#define SOCK_IMPORT(name) \
	__attribute__((import_module("wasi_snapshot_preview1"), import_name(#name)))

enum { SOCK_INET4 = 1, SOCK_STREAM_TYPE = 2 };

// The bytes of an address: 4 for IPv4, 16 for IPv6, in network order.
struct sock_address {
	const uint8_t *bytes;
	uint32_t size;
};

struct sock_buffer {
	void *bytes;
	uint32_t size;
};

SOCK_IMPORT(sock_open) uint32_t sock_open(uint32_t family, uint32_t type, uint32_t *fd);
SOCK_IMPORT(sock_bind) uint32_t sock_bind(uint32_t fd, const struct sock_address *addr, uint32_t port);
SOCK_IMPORT(sock_listen) uint32_t sock_listen(uint32_t fd, uint32_t backlog);
SOCK_IMPORT(sock_accept) uint32_t sock_accept(uint32_t fd, uint32_t *connection);
SOCK_IMPORT(sock_recv) uint32_t sock_recv(uint32_t fd, const struct sock_buffer *to, uint32_t n,
	uint32_t flags, uint32_t *received, uint32_t *out_flags);
SOCK_IMPORT(sock_send) uint32_t sock_send(uint32_t fd, const struct sock_buffer *from, uint32_t n,
	uint32_t flags, uint32_t *sent);

#endif
