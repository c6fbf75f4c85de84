// A TCP and a UDP echo server on the WasmEdge sockets extension, in the form
// that ABI names: 1 is V1, 2 is V2, 3 is V2 under the names that say so, and 4
// mixes them function by function, as guests built with several libraries do.
//
//	sockets tcp PORT    echoes one connection
//	sockets udp PORT    echoes one datagram
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define IMPORT(name) __attribute__((import_module("wasi_snapshot_preview1"), import_name(name))) uint32_t

struct bytes {
	void *at;
	uint32_t size;
};

#if ABI == 3
#define NAME(name) name "_v2"
#else
#define NAME(name) name
#endif

#if ABI == 1
enum { STORAGE = 4, SKIP = 0 };
#else
// A family of two bytes stands before the address.
enum { STORAGE = 128, SKIP = 2 };
#endif

IMPORT(NAME("sock_open")) sock_open(uint32_t family, uint32_t type, uint32_t *fd);
IMPORT(NAME("sock_bind")) sock_bind(uint32_t fd, struct bytes *address, uint32_t port);
IMPORT(NAME("sock_listen")) sock_listen(uint32_t fd, uint32_t backlog);
IMPORT(NAME("sock_recv")) sock_recv(uint32_t fd, struct bytes *to, uint32_t n, uint32_t flags, uint32_t *size, uint16_t *out);
IMPORT(NAME("sock_send")) sock_send(uint32_t fd, struct bytes *from, uint32_t n, uint32_t flags, uint32_t *size);
IMPORT(NAME("sock_send_to")) sock_send_to(uint32_t fd, struct bytes *from, uint32_t n, struct bytes *address, uint32_t port, uint32_t flags, uint32_t *size);

#if ABI == 1
IMPORT("sock_accept") sock_accept(uint32_t fd, uint32_t *connection);
#define ACCEPT(fd, connection) sock_accept(fd, connection)
#elif ABI == 4
IMPORT("sock_accept_v2") sock_accept(uint32_t fd, uint32_t flags, uint32_t *connection);
#define ACCEPT(fd, connection) sock_accept(fd, 0, connection)
#else
IMPORT(NAME("sock_accept")) sock_accept(uint32_t fd, uint32_t flags, uint32_t *connection);
#define ACCEPT(fd, connection) sock_accept(fd, 0, connection)
#endif

#if ABI == 1 || ABI == 4
IMPORT("sock_getlocaladdr") sock_getlocaladdr(uint32_t fd, struct bytes *address, uint32_t *type, uint32_t *port);
#else
IMPORT(NAME("sock_getlocaladdr")) sock_getlocaladdr(uint32_t fd, struct bytes *address, uint32_t *port);
#endif

// The eight parameters tell the sender's port; V1 has no place for it.
IMPORT(NAME("sock_recv_from")) sock_recv_from(uint32_t fd, struct bytes *to, uint32_t n, struct bytes *address, uint32_t flags, uint32_t *port, uint32_t *size, uint32_t *out);

static void check(const char *what, uint32_t error)
{
	if (error == 0)
		return;
	fprintf(stderr, "%s: WASI error %u\n", what, error);
	exit(1);
}

static void local(uint32_t fd)
{
	uint32_t port = 0;
#if ABI == 1 || ABI == 4
	uint8_t a[16] = {0};
	struct bytes address = {a, sizeof a};
	uint32_t type = 0;
	check("sock_getlocaladdr", sock_getlocaladdr(fd, &address, &type, &port));
	printf("type %u, %u.%u.%u.%u:%u\n", type, a[0], a[1], a[2], a[3], port);
#else
	uint8_t a[128] = {0};
	struct bytes address = {a, sizeof a};
	check("sock_getlocaladdr", sock_getlocaladdr(fd, &address, &port));
	printf("family %u, %u.%u.%u.%u:%u\n", a[0], a[2], a[3], a[4], a[5], port);
#endif
	fflush(stdout);
}

int main(int argc, char **argv)
{
	int udp = argc > 1 && strcmp(argv[1], "udp") == 0;
	uint32_t port = argc > 2 ? atoi(argv[2]) : 0, fd = 0, size = 0;
	uint8_t any[STORAGE] = {0};
	struct bytes address = {any, STORAGE};
	if (SKIP)
		any[0] = 1; // IPv4
	check("sock_open", sock_open(1, udp ? 1 : 2, &fd));
	check("sock_bind", sock_bind(fd, &address, port));

	char text[2048];
	struct bytes buffer = {text, sizeof text};
	if (udp) {
		local(fd);
		uint32_t from = 0, out = 0;
		check("sock_recv_from", sock_recv_from(fd, &buffer, 1, &address, 0, &from, &size, &out));
		printf("%u bytes from %u.%u.%u.%u\n", size, any[SKIP], any[SKIP + 1], any[SKIP + 2], any[SKIP + 3]);
		buffer.size = size;
		check("sock_send_to", sock_send_to(fd, &buffer, 1, &address, from, 0, &size));
		return 0;
	}
	check("sock_listen", sock_listen(fd, 16));
	local(fd);
	uint32_t connection = 0;
	check("sock_accept", ACCEPT(fd, &connection));
	for (;;) {
		uint16_t out = 0;
		buffer.size = sizeof text;
		check("sock_recv", sock_recv(connection, &buffer, 1, 0, &size, &out));
		if (size == 0)
			return 0;
		buffer.size = size;
		check("sock_send", sock_send(connection, &buffer, 1, 0, &size));
	}
}
