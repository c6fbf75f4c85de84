// An HTTP server on the WasmEdge sockets extension: one thread, non-blocking
// sockets, and poll_oneoff to wait for all of them. examples/README.md says
// what it serves.
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http.h"
#include "sock.h"

enum { MAX_CONNECTIONS = 4096, TURNS = 64 };

struct connection {
	uint32_t fd;
	int want_write;
	struct http http;
};

static struct connection *connections[MAX_CONNECTIONS];
static uint32_t count;
static __wasi_subscription_t waits[MAX_CONNECTIONS + 1];
static __wasi_event_t events[MAX_CONNECTIONS + 1];

static void fail(const char *what, uint32_t error)
{
	fprintf(stderr, "hello-c: %s: WASI error %u (%s)\n", what, error, strerror(error));
	exit(1);
}

// Moves a connection on until it has to wait; TURNS bounds how long the others
// wait for their turn. Answers 0 when the connection is over.
static int serve(struct connection *c)
{
	struct http *h = &c->http;
	for (int turn = 0; turn < TURNS; turn++) {
		int moved = http_step(h);
		uint32_t n = 0, flags = 0, error = 0;
		if (h->out_sent < h->out_len) {
			struct sock_buffer from = {h->out + h->out_sent, h->out_len - h->out_sent};
			c->want_write = 1;
			error = sock_send(c->fd, &from, 1, 0, &n);
			if (error == __WASI_ERRNO_AGAIN)
				return 1;
			if (error != 0)
				return 0;
			h->out_sent += n;
			if (h->out_sent < h->out_len)
				continue;
			h->out_sent = h->out_len = 0;
		} else if (moved && h->close_after && h->state == READ_HEAD) {
			return 0;
		} else if (!moved && h->in_len < IN_SIZE) {
			struct sock_buffer to = {h->in + h->in_len, IN_SIZE - h->in_len};
			c->want_write = 0;
			error = sock_recv(c->fd, &to, 1, 0, &n, &flags);
			if (error == __WASI_ERRNO_AGAIN)
				return 1;
			if (error != 0 || n == 0)
				return 0;
			h->in_len += n;
		}
	}
	// Its turns are over, but not what it has to do: input may lie in the
	// buffer. A socket is nearly always ready for writing.
	c->want_write = 1;
	return 1;
}

static void drop(uint32_t i)
{
	(void)!__wasi_fd_close(connections[i]->fd);
	free(connections[i]);
	connections[i] = NULL;
}

static void accept_all(uint32_t listener)
{
	while (count < MAX_CONNECTIONS) {
		uint32_t fd;
		if (sock_accept(listener, &fd) != 0)
			return; // nobody waits, or the one who did has left
		struct connection *c = malloc(sizeof *c);
		if (c == NULL || __wasi_fd_fdstat_set_flags(fd, __WASI_FDFLAGS_NONBLOCK) != 0) {
			free(c);
			(void)!__wasi_fd_close(fd);
			return;
		}
		// The buffers needn't be cleared.
		memset(c, 0, offsetof(struct connection, http.in));
		c->http.in_len = c->http.out_len = c->http.out_sent = 0;
		c->fd = fd;
		connections[count++] = c;
		if (!serve(c))
			drop(count - 1);
	}
}

// Closes the gaps that dropped connections left.
static void compact(void)
{
	uint32_t kept = 0;
	for (uint32_t i = 0; i < count; i++)
		if (connections[i] != NULL)
			connections[kept++] = connections[i];
	count = kept;
}

static void wait_and_serve(uint32_t listener)
{
	uint32_t n = 0;
	size_t happened = 0;
	memset(waits, 0, sizeof waits[0] * (count + 1));
	for (uint32_t i = 0; i < count; i++, n++) {
		waits[n].userdata = i;
		waits[n].u.tag = connections[i]->want_write ? __WASI_EVENTTYPE_FD_WRITE : __WASI_EVENTTYPE_FD_READ;
		waits[n].u.u.fd_read.file_descriptor = connections[i]->fd;
	}
	if (count < MAX_CONNECTIONS) {
		waits[n].userdata = MAX_CONNECTIONS;
		waits[n].u.tag = __WASI_EVENTTYPE_FD_READ;
		waits[n++].u.u.fd_read.file_descriptor = listener;
	}
	uint32_t error = __wasi_poll_oneoff(waits, events, n, &happened);
	if (error != 0 && error != __WASI_ERRNO_INTR)
		fail("can't wait for connections", error);
	for (size_t i = 0; i < happened; i++) {
		uint32_t at = events[i].userdata;
		if (at < count && !serve(connections[at]))
			drop(at);
	}
	compact();
	for (size_t i = 0; i < happened; i++)
		if (events[i].userdata == MAX_CONNECTIONS)
			accept_all(listener);
	compact();
}

int main(void)
{
	const char *wanted = getenv("PORT");
	uint32_t port = wanted == NULL ? 8080 : atoi(wanted), listener, error;
	static const uint8_t any[4] = {0};
	struct sock_address everywhere = {any, sizeof any};

	if (port < 1 || port > 65535) {
		fprintf(stderr, "hello-c: PORT is %s, want 1 to 65535\n", wanted);
		return 2;
	}
	if ((error = sock_open(SOCK_INET4, SOCK_STREAM_TYPE, &listener)) != 0)
		fail("can't open a socket", error);
	if ((error = sock_bind(listener, &everywhere, port)) != 0)
		fail("can't bind the port", error);
	if ((error = sock_listen(listener, 1024)) != 0)
		fail("can't listen", error);
	if ((error = __wasi_fd_fdstat_set_flags(listener, __WASI_FDFLAGS_NONBLOCK)) != 0)
		fail("can't make the listener non-blocking", error);
	printf("hello-c listens on port %u\n", port);
	fflush(stdout);
	for (;;)
		wait_and_serve(listener);
}
