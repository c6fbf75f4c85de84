// The host's own services, in every disguise that an address can wear. The host
// listens everywhere on a port for TCP and for UDP, and says the canary's text
// to whoever comes.
#include "corpus.h"

#ifndef NO_SOCKETS

enum { INET4 = 1, INET6 = 2, DGRAM = 1, STREAM = 2 };

static char buf[1024];
static u32 n;

static int wait(u32 fd, byte kind, u64 ms) {
	static byte subs[96], events[64];
	memset(subs, 0, sizeof subs);
	subs[8] = kind;
	*(u32 *)(subs + 16) = fd;
	*(u32 *)(subs + 48 + 16) = 1;
	*(u64 *)(subs + 48 + 24) = ms * 1000000;
	int e = poll_oneoff(PTR(subs), PTR(events), 2, PTR(&n));
	return e == OK && events[10] == kind ? OK : AGAIN;
}

// meet is what to do once a call says that a connection stands, or may.
static void meet(u32 fd) {
	u32 oflags;
	struct iovec v = {PTR("hello"), 5};
	if (wait(fd, 2, 200) == OK && sock_send(fd, PTR(&v), 1, 0, PTR(&n)) == OK) escape("sent to the host");
	v = (struct iovec){PTR(buf), sizeof buf};
	if (wait(fd, 1, 200) == OK && sock_recv(fd, PTR(&v), 1, 0, PTR(&n), PTR(&oflags)) == OK) look(buf, n);
}

static void connect(int family, const byte *ip, int port, bool strict) {
	u32 fd, address[2] = {PTR(ip), family == INET4 ? 4 : 16};
	int e = sock_open(family, STREAM, PTR(&fd));
	if (e != OK) return either("socket", e, ACCES, AFNOSUPPORT);
	fd_fdstat_set_flags(fd, NONBLOCK);
	e = sock_connect(fd, PTR(address), port);
	if (strict) either("connect", e, CONNREFUSED, ACCES);
	denied("connect", e);
	if (e == OK || e == INPROGRESS) meet(fd);
	fd_close(fd);
}

// A datagram may go into the void; the host sees whether one came.
static void send(int family, const byte *ip, int port) {
	u32 fd, address[2] = {PTR(ip), family == INET4 ? 4 : 16}, oflags;
	int e = sock_open(family, DGRAM, PTR(&fd));
	if (e != OK) return either("socket", e, ACCES, AFNOSUPPORT);
	fd_fdstat_set_flags(fd, NONBLOCK);
	struct iovec v = {PTR("hello"), 5};
	e = sock_send_to(fd, PTR(&v), 1, PTR(address), port, 0, PTR(&n));
	v = (struct iovec){PTR(buf), sizeof buf};
	if (e == OK && wait(fd, 1, 20) == OK && sock_recv(fd, PTR(&v), 1, 0, PTR(&n), PTR(&oflags)) == OK) look(buf, n);
	fd_close(fd);
}

static void four(byte a, byte b, byte c, byte d, bool strict) {
	byte ip[4] = {a, b, c, d};
	connect(INET4, ip, number("tcp"), strict);
	send(INET4, ip, number("udp"));
}

// six takes the first bytes and the last four of an IPv6 address.
static void six(const char *first, int len, byte a, byte b, byte c, byte d, bool strict) {
	byte ip[16] = {0};
	memcpy(ip, first, len);
	ip[12] = a, ip[13] = b, ip[14] = c, ip[15] = d;
	connect(INET6, ip, number("tcp"), strict);
	send(INET6, ip, number("udp"));
}

#define MAPPED "\0\0\0\0\0\0\0\0\0\0\xff\xff", 12

// The host's own address, given as a.b.c.d.
static const byte *own(void) {
	static byte ip[4];
	const char *s = argument("own");
	memset(ip, 0, 4);
	for (int i = 0; *s; s++)
		if (*s == '.') i++;
		else ip[i] = ip[i] * 10 + *s - '0';
	return ip;
}

static void loopback(void) { four(127, 0, 0, 1, true); }
static void loopback_other(void) { four(127, 1, 2, 3, true); }
static void loopback_last(void) { four(127, 255, 255, 254, true); }
static void loopback_zero(void) { four(127, 0, 0, 0, false); }
static void loopback_broadcast(void) { four(127, 255, 255, 255, false); }
static void unspecified(void) { four(0, 0, 0, 0, true); }
static void this_network(void) { four(0, 0, 0, 1, false); }
static void broadcast(void) { four(255, 255, 255, 255, false); }
static void multicast(void) { four(224, 0, 0, 1, false); }
static void six_loopback(void) { six("", 0, 0, 0, 0, 1, true); }
static void six_unspecified(void) { six("", 0, 0, 0, 0, 0, true); }
static void mapped_loopback(void) { six(MAPPED, 127, 0, 0, 1, true); }
static void mapped_other(void) { six(MAPPED, 127, 9, 9, 9, true); }
static void mapped_unspecified(void) { six(MAPPED, 0, 0, 0, 0, true); }
static void compatible_loopback(void) { six("", 0, 127, 0, 0, 1, false); }
static void translated(void) { six("\0\x64\xff\x9b", 4, 127, 0, 0, 1, false); }
static void translated_locally(void) { six("\0\x64\xff\x9b\0\1", 6, 127, 0, 0, 1, false); }
static void six_to_four(void) { six("\x20\x02\x7f\0\0\1", 6, 0, 0, 0, 1, false); }
static void teredo(void) { six("\x20\1\0\0", 4, 0x80, 0xff, 0xff, 0xfe, false); }
static void isatap(void) { six("\xfe\x80\0\0\0\0\0\0\0\0\x5e\xfe", 12, 127, 0, 0, 1, false); }
static void link_local(void) { six("\xfe\x80", 2, 0, 0, 0, 1, false); }
static void six_multicast(void) { six("\xff\2", 2, 0, 0, 0, 1, false); }
static void six_multicast_node(void) { six("\xff\1", 2, 0, 0, 0, 1, false); }

static void own_address(void) {
	const byte *ip = own();
	four(ip[0], ip[1], ip[2], ip[3], true);
}

static void own_mapped(void) {
	const byte *ip = own();
	six(MAPPED, ip[0], ip[1], ip[2], ip[3], true);
}

static void own_translated(void) {
	const byte *ip = own();
	six("\0\x64\xff\x9b", 4, ip[0], ip[1], ip[2], ip[3], false);
}

// The address in WasmEdge's later form, with a family of its own.
static void storage(void) {
	for (int family = 0; family < 8; family++) {
		byte ip[128] = {family, 0, 127, 0, 0, 1};
		u32 fd, address[2] = {PTR(ip), sizeof ip};
		if (sock_open(INET4, STREAM, PTR(&fd)) != OK) continue;
		fd_fdstat_set_flags(fd, NONBLOCK);
		int e = sock_connect(fd, PTR(address), number("tcp"));
		denied("connect", e);
		if (e == OK) meet(fd);
		fd_close(fd);
	}
}

static void other_family(void) {
	byte ip[16] = {127, 0, 0, 1};
	u32 fd, address[2] = {PTR(ip), 4};
	expect("socket", sock_open(INET6, STREAM, PTR(&fd)), OK);
	int e = sock_connect(fd, PTR(address), number("tcp"));
	denied("connect", e);
	if (e == OK) meet(fd);
	fd_close(fd);
}

static void ports(void) {
	byte ip[4] = {127, 0, 0, 1};
	for (int odd[] = {0, 65536, 1 << 20, -1}, *p = odd; p < odd + 4; p++) connect(INET4, ip, *p, false);
	connect(INET4, ip, number("tcp") + 65536, false);
}

// Bound to the host's port, on the container's own loopback: a neighbour of
// nobody.
static void bound(void) {
	byte ip[4] = {127, 0, 0, 1};
	u32 fd, address[2] = {PTR(ip), 4};
	expect("socket", sock_open(INET4, STREAM, PTR(&fd)), OK);
	int e = sock_bind(fd, PTR(address), number("tcp"));
	either("bind", e, OK, ACCES);
	if (e == OK) either("listen", sock_listen(fd, 1), OK, ACCES);
	fd_fdstat_set_flags(fd, NONBLOCK);
	u32 other;
	denied("nobody comes", sock_accept(fd, NONBLOCK, PTR(&other)));
	fd_close(fd);
}

static void families(void) {
	u32 fd;
	for (int family = 3; family < 64; family++) denied("family", sock_open(family, STREAM, PTR(&fd)));
	for (int type = 3; type < 64; type++) denied("type", sock_open(INET4, type, PTR(&fd)));
	denied("both", sock_open(-1, -1, PTR(&fd)));
}

// Names, and numbers written as no program should read them.
static void named(const char *name) {
	static byte info[28 * 4], addr[16 * 4], data[32 * 4], hints[28];
	memset(info, 0, sizeof info);
	for (int i = 0; i < 4; i++) {
		*(u32 *)(info + 28 * i + 8) = 16;
		*(u32 *)(info + 28 * i + 12) = PTR(addr + 16 * i);
		*(u32 *)(info + 28 * i + 24) = i < 3 ? PTR(info + 28 * (i + 1)) : 0;
		*(u32 *)(addr + 16 * i + 4) = 32;
		*(u32 *)(addr + 16 * i + 8) = PTR(data + 32 * i);
	}
	u32 first = PTR(info), count = 0;
	int e = sock_getaddrinfo(PTR(name), length(name), 0, 0, PTR(hints), PTR(&first), 4, PTR(&count));
	for (u32 i = 0; e == OK && i < count && i < 4; i++)
		connect(info[28 * i + 2] == INET6 ? INET6 : INET4, data + 32 * i + 2, number("tcp"), false);
}

static void name_localhost(void) { named("localhost"); }
static void name_dot(void) { named("localhost."); }
static void name_six(void) { named("ip6-localhost"); }
static void name_below(void) { named("a.localhost"); }
static void name_upper(void) { named("LOCALHOST"); }
static void name_numbers(void) {
	for (const char *names[] = {"127.0.0.1", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "127.0.0.1.", "::1", "::ffff:127.0.0.1",
		"[::1]", "0", "0.0.0.0", "::", "fe80::1%lo", "127.0.0.1%lo"}, **p = names; p < names + 14; p++) named(*p);
}

// A name server and a service that the image's files speak of are never asked,
// and its libraries never loaded.
static void name_of_the_image(void) { named("canary.invalid"); }

static const struct action actions[] = {
	{"127.0.0.1", loopback}, {"127.1.2.3", loopback_other}, {"127.255.255.254", loopback_last}, {"127.0.0.0", loopback_zero},
	{"127.255.255.255", loopback_broadcast}, {"0.0.0.0", unspecified}, {"0.0.0.1", this_network}, {"255.255.255.255", broadcast},
	{"224.0.0.1", multicast}, {"::1", six_loopback}, {"::", six_unspecified}, {"::ffff:127.0.0.1", mapped_loopback},
	{"::ffff:127.9.9.9", mapped_other}, {"::ffff:0.0.0.0", mapped_unspecified}, {"::127.0.0.1", compatible_loopback},
	{"64:ff9b::127.0.0.1", translated}, {"64:ff9b:1::127.0.0.1", translated_locally}, {"2002:7f00:1::1", six_to_four},
	{"2001::80ff:fffe", teredo}, {"fe80::5efe:127.0.0.1", isatap}, {"fe80::1", link_local}, {"ff02::1", six_multicast},
	{"ff01::1", six_multicast_node}, {"own address", own_address}, {"own address mapped", own_mapped},
	{"own address translated", own_translated}, {"address in the later form", storage}, {"address of another family", other_family},
	{"odd ports", ports}, {"bound to the host's port", bound}, {"odd families", families},
	{"localhost", name_localhost}, {"localhost with a dot", name_dot}, {"ip6-localhost", name_six}, {"below localhost", name_below},
	{"LOCALHOST", name_upper}, {"numbers as names", name_numbers}, {"a name that the image promises", name_of_the_image},
};

const struct family network = {"network", ACTIONS(actions)};

#endif
