// A guest that tries to reach one port under many names and addresses, on the
// WasmEdge sockets extension (V2):
//
//	disguise PORT TARGET...
//
// A target is an address of 8 or 32 hexadecimal digits, or "@" and a name to
// resolve. To each it connects a stream without waiting, sends a datagram,
// and sends one through a connected socket; then it prints the target and the
// three errnos, and at the end waits for what is on its way.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wasi/api.h>

#define IMPORT(name) __attribute__((import_module("wasi_snapshot_preview1"), import_name(name))) uint32_t

enum { INET4 = 1, INET6 = 2, DGRAM = 1, STREAM = 2, STORAGE = 128, NAMES = 8 };

struct bytes {
	void *at;
	uint32_t size;
};

// WasmEdge's sockaddr and addrinfo.
struct sockaddr {
	uint8_t family, padding[3];
	uint32_t size;
	uint8_t *data;
};

struct addrinfo {
	uint16_t flags;
	uint8_t family, type;
	uint32_t protocol, addrlen;
	struct sockaddr *addr;
	char *name;
	uint32_t namelen;
	struct addrinfo *next;
};

IMPORT("sock_open") sock_open(uint32_t family, uint32_t type, uint32_t *fd);
IMPORT("sock_connect") sock_connect(uint32_t fd, struct bytes *address, uint32_t port);
IMPORT("sock_send") sock_send(uint32_t fd, struct bytes *from, uint32_t n, uint32_t flags, uint32_t *size);
IMPORT("sock_send_to") sock_send_to(uint32_t fd, struct bytes *from, uint32_t n, struct bytes *address, uint32_t port, uint32_t flags, uint32_t *size);
IMPORT("sock_getaddrinfo") sock_getaddrinfo(const char *node, uint32_t nodelen, const char *service, uint32_t servicelen, struct addrinfo *hints, struct addrinfo **list, uint32_t max, uint32_t *n);

static char text[] = "hello";

static void attempt(const char *target, uint8_t *address, uint32_t port)
{
	struct bytes to = {address, STORAGE}, message = {text, sizeof text};
	uint32_t fd, sent, e[3];

	e[0] = sock_open(address[0], STREAM, &fd);
	if (e[0] == 0)
		e[0] = __wasi_fd_fdstat_set_flags(fd, __WASI_FDFLAGS_NONBLOCK);
	if (e[0] == 0) {
		e[0] = sock_connect(fd, &to, port);
		if (e[0] == 0)
			sock_send(fd, &message, 1, 0, &sent);
	}
	e[1] = sock_open(address[0], DGRAM, &fd);
	if (e[1] == 0)
		e[1] = __wasi_fd_fdstat_set_flags(fd, __WASI_FDFLAGS_NONBLOCK);
	if (e[1] == 0)
		e[1] = sock_send_to(fd, &message, 1, &to, port, 0, &sent);
	e[2] = sock_open(address[0], DGRAM, &fd);
	if (e[2] == 0) {
		e[2] = sock_connect(fd, &to, port);
		if (e[2] == 0)
			e[2] = sock_send(fd, &message, 1, 0, &sent);
	}
	printf("%s %u %u %u\n", target, e[0], e[1], e[2]);
}

static void named(const char *target, uint32_t port)
{
	static struct addrinfo info[NAMES];
	static struct sockaddr addr[NAMES];
	static uint8_t data[NAMES][64];
	struct addrinfo hints = {0}, *list = info;
	uint32_t n = 0;
	for (int i = 0; i < NAMES; i++) {
		addr[i] = (struct sockaddr){.size = sizeof data[i], .data = data[i]};
		info[i] = (struct addrinfo){.addr = &addr[i], .next = i + 1 < NAMES ? &info[i + 1] : NULL};
	}
	hints.type = STREAM;
	uint32_t e = sock_getaddrinfo(target + 1, strlen(target + 1), "", 0, &hints, &list, NAMES, &n);
	if (e != 0)
		printf("%s unresolved %u\n", target, e);
	for (uint32_t i = 0; e == 0 && i < n; i++) {
		uint8_t address[STORAGE] = {addr[i].family};
		if (addr[i].family == INET4)
			memcpy(address + 2, data[i] + 2, 4);
		else
			memcpy(address + 2, data[i] + 6, 16);
		attempt(target, address, port);
	}
}

int main(int argc, char **argv)
{
	uint32_t port = argc > 1 ? atoi(argv[1]) : 0;
	for (int i = 2; i < argc; i++) {
		if (argv[i][0] == '@') {
			named(argv[i], port);
			continue;
		}
		uint8_t address[STORAGE] = {strlen(argv[i]) == 8 ? INET4 : INET6};
		for (size_t k = 0; argv[i][2 * k] != 0; k++) {
			unsigned byte = 0;
			sscanf(argv[i] + 2 * k, "%2x", &byte);
			address[2 + k] = byte;
		}
		attempt(argv[i], address, port);
	}
	// What is on its way arrives, or not.
	__wasi_subscription_t clock = {.u = {.tag = __WASI_EVENTTYPE_CLOCK, .u = {.clock = {.id = __WASI_CLOCKID_MONOTONIC, .timeout = 200000000}}}};
	__wasi_event_t event;
	size_t n;
	return __wasi_poll_oneoff(&clock, &event, 1, &n);
}
