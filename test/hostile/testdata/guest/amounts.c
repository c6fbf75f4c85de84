// Sizes, cookies and subscriptions that no honest program has.
#include "corpus.h"

#define MOST 0x7fffffffffffffffull

static byte out[64];
static char buf[1 << 16];
static u32 n;

static u64 size_of(u32 fd) {
	expect("stat", fd_filestat_get(fd, PTR(out)), OK);
	return *(u64 *)(out + 32);
}

static void allocated(void) {
	u32 fd = must_open("t/allocated", CREAT, R_WRITING);
	expect("nothing", fd_allocate(fd, 0, 0), INVAL);
	expect("beyond the sign", fd_allocate(fd, 0, MOST + 1), INVAL);
	expect("all", fd_allocate(fd, 0, ~0ull), INVAL);
	expect("a sum beyond the sign", fd_allocate(fd, MOST, MOST), INVAL);
	expect("an offset beyond the sign", fd_allocate(fd, ~0ull, 1), INVAL);
	denied("the most there is", fd_allocate(fd, 0, MOST));
	denied("more than the scratch folder has", fd_allocate(fd, 0, 16 << 20));
	expect("nothing came of it", (int)size_of(fd), 0);
	fd_close(fd);
}

static void sized(void) {
	u32 fd = must_open("t/sized", CREAT, R_WRITING);
	expect("beyond the sign", fd_filestat_set_size(fd, MOST + 1), INVAL);
	expect("all", fd_filestat_set_size(fd, ~0ull), INVAL);
	fd_filestat_set_size(fd, MOST); // a file system may take it: it is sparse
	expect("back", fd_filestat_set_size(fd, 0), OK);
	expect("nothing left of it", (int)size_of(fd), 0);
	fd_close(fd);
}

// A sparse file is as long as it says and takes no room.
static void sparse(void) {
	u32 fd = must_open("sparse", CREAT, R_WRITING);
	struct iovec v = {PTR(buf), 1};
	expect("16 GiB", fd_filestat_set_size(fd, 1ull << 34), OK);
	expect("its size", (int)(size_of(fd) >> 30), 16);
	expect("read at its end", fd_pread(fd, PTR(&v), 1, (1ull << 34) - 1, PTR(&n)), OK);
	expect("read behind it", fd_pread(fd, PTR(&v), 1, 1ull << 40, PTR(&n)), OK);
	expect("nothing there", n, 0);
	expect("none", fd_filestat_set_size(fd, 0), OK);
	fd_close(fd);
}

static void offsets(void) {
	u32 fd = must_open("t/offsets", CREAT, R_WRITING);
	struct iovec v = {PTR(buf), 16};
	expect("pread negative", fd_pread(fd, PTR(&v), 1, ~0ull, PTR(&n)), INVAL);
	expect("pread at the most", fd_pread(fd, PTR(&v), 1, MOST, PTR(&n)), INVAL);
	expect("pwrite negative", fd_pwrite(fd, PTR(&v), 1, ~0ull, PTR(&n)), INVAL);
	denied("pwrite at the most", fd_pwrite(fd, PTR(&v), 1, MOST - 8, PTR(&n)));
	expect("seek negative", fd_seek(fd, ~0ull, 0, PTR(out)), INVAL);
	expect("seek before the start", fd_seek(fd, ~0ull, 1, PTR(out)), INVAL);
	denied("write behind the most", fd_seek(fd, MOST, 0, PTR(out)) == OK ? fd_write(fd, PTR(&v), 1, PTR(&n)) : FBIG);
	expect("advice beyond the sign", fd_advise(fd, ~0ull, ~0ull, 0), INVAL);
	fd_close(fd);
}

static void filled(void) {
	u32 fd = must_open("t/filled", CREAT, R_WRITING);
	struct iovec v = {PTR(buf), sizeof buf};
	int e = OK;
	for (int i = 0; i < 64 && e == OK; i++) e = fd_write(fd, PTR(&v), 1, PTR(&n));
	expect("a scratch folder of 1 MiB", e, NOSPC);
	fd_close(fd);
	expect("remove", path_unlink_file(ROOT, PTR("t/filled"), 8), OK);
}

static void times(void) {
	u32 fd = must_open("t/times", CREAT, R_WRITING);
	for (u64 odd[] = {0, 1, MOST, MOST + 1, ~0ull}, *t = odd; t < odd + 5; t++) {
		either("odd times", fd_filestat_set_times(fd, *t, *t, 1 | 4), OK, *t > MOST ? OVERFLOW_ : OK);
		expect("stat", fd_filestat_get(fd, PTR(out)), OK);
	}
	fd_close(fd);
}

static const struct action size_actions[] = {
	{"allocated", allocated}, {"set", sized}, {"sparse", sparse}, {"offsets", offsets}, {"filled", filled}, {"times", times},
};

const struct family sizes = {"sizes", ACTIONS(size_actions)};

static void cookies(void) {
	u32 fd = must_open("dir", DIRECTORY, R_READING);
	for (u64 odd[] = {1, 2, 3, 99, 1ull << 31, 1ull << 32, MOST, ~0ull - 1, ~0ull}, *c = odd; c < odd + 9; c++) {
		expect("cookie", fd_readdir(fd, PTR(buf), sizeof buf, *c, PTR(&n)), OK);
		look(buf, n);
		if (*c >= 99 && n) fail("entries behind the end", n, 0);
	}
	fd_close(fd);
	fd = must_open("dir", DIRECTORY, R_READING);
	expect("a cookie before any", fd_readdir(fd, PTR(buf), sizeof buf, 77, PTR(&n)), OK);
	fd_close(fd);
}

static void small_buffers(void) {
	u32 fd = must_open("dir", DIRECTORY, R_READING);
	for (u32 size = 0; size < 64; size++) {
		buf[size] = 'g';
		expect("readdir", fd_readdir(fd, PTR(buf), size, 0, PTR(&n)), OK);
		if (n > size || buf[size] != 'g') fail("written past the buffer", n, size);
	}
	fd_close(fd);
}

static void dots(void) {
	u32 fd = must_open(".", DIRECTORY, R_READING);
	u64 inode[2];
	expect("stat", fd_filestat_get(fd, PTR(out)), OK);
	expect("readdir", fd_readdir(fd, PTR(buf), sizeof buf, 0, PTR(&n)), OK);
	inode[0] = *(u64 *)(buf + 8);
	inode[1] = *(u64 *)(buf + 8 + 24 + 1);
	if (inode[0] != *(u64 *)(out + 8) || inode[1] != inode[0]) fail("the root's inode numbers tell of what is above", 0, 1);
	fd_close(fd);
}

static void under_change(void) {
	static char name[] = "lists/0000";
	u32 dir, fd;
	expect("mkdir", path_create_directory(ROOT, PTR("lists"), 5), OK);
	dir = must_open("lists", DIRECTORY, R_READING);
	for (int i = 0; i < 500; i++) {
		for (int k = 9, d = i; k > 5; k--, d /= 10) name[k] = '0' + d % 10;
		expect("create", open_at(ROOT, text(name), 0, CREAT, R_WRITING, &fd), OK);
		fd_close(fd);
	}
	u64 cookie = 0;
	int seen = 0;
	for (int round = 0; round < 2000; round++) {
		expect("readdir", fd_readdir(dir, PTR(buf), 512, cookie, PTR(&n)), OK);
		u32 at = 0;
		for (; at + 24 <= n && at + 24 + *(u32 *)(buf + at + 16) <= n; seen++) {
			u32 len = *(u32 *)(buf + at + 16);
			cookie = *(u64 *)(buf + at);
			struct text t = {buf + at + 24, (int)len};
			if (len > 2) path_unlink_file(dir, P(t));
			at += 24 + len;
		}
		if (n < 512) break;
	}
	expect("each name once", seen, 502);
	expect("remove", path_remove_directory(ROOT, PTR("lists"), 5), OK);
	expect("readdir of what is gone", fd_readdir(dir, PTR(buf), sizeof buf, 0, PTR(&n)), NOENT);
	fd_close(dir);
}

static void odd_names(void) {
	u32 fd = must_open(".", DIRECTORY, R_READING);
	expect("readdir", fd_readdir(fd, PTR(buf), sizeof buf, 0, PTR(&n)), OK);
	int count = 0;
	for (u32 at = 0; at + 24 <= n; at += 24 + *(u32 *)(buf + at + 16)) {
		u32 len = *(u32 *)(buf + at + 16);
		for (u32 i = 0; i < len && at + 24 + i < n; i++)
			if (buf[at + 24 + i] == '/' || !buf[at + 24 + i]) fail("a name with a slash or NUL", at, 0);
		count++;
	}
	if (count < 40) fail("names", count, 40);
	look(buf, n);
	fd_close(fd);
}

static const struct action listing_actions[] = {
	{"cookies", cookies}, {"small buffers", small_buffers}, {"dots of the root", dots}, {"under change", under_change}, {"odd names", odd_names},
};

const struct family listing = {"listing", ACTIONS(listing_actions)};

static byte subs[48 * 64], events[32 * 64];

static byte *subscribe(int i, byte kind) {
	byte *s = subs + 48 * i;
	memset(s, 0, 48);
	*(u64 *)s = 100 + i;
	s[8] = kind;
	return s;
}

static int poll(u32 count) { return poll_oneoff(PTR(subs), PTR(events), count, PTR(&n)); }

static void none(void) { expect("none", poll(0), INVAL); }

static void many(void) {
	for (u32 odd[] = {1u << 20, 1u << 26, 89478486, 1u << 31, ~0u}, *c = odd; c < odd + 5; c++) either("many", poll(*c), INVAL, FAULT);
}

static void unknown_kinds(void) {
	for (int kind = 3; kind < 256; kind += 23) {
		subscribe(0, kind);
		expect("kind", poll(1), INVAL);
	}
}

static void bad_descriptors(void) {
	for (u32 odd[] = {77, ~0u, 1u << 31, -100u, 65536}, *fd = odd; fd < odd + 5; fd++) {
		*(u32 *)(subscribe(0, 1) + 16) = *fd;
		expect("poll", poll(1), OK);
		expect("one event", n, 1);
		expect("its error", *(uint16_t *)(events + 8), BADF);
	}
}

static void bad_clocks(void) {
	for (u32 odd[] = {4, 5, 7, 1u << 31, ~0u}, *c = odd; c < odd + 5; c++) {
		*(u32 *)(subscribe(0, 0) + 16) = *c;
		expect("poll", poll(1), OK);
		expect("its error", *(uint16_t *)(events + 8), INVAL);
	}
}

static void past_times(void) {
	byte *s = subscribe(0, 0);
	*(u64 *)(s + 24) = 1;
	*(uint16_t *)(s + 40) = 1; // absolute: long ago
	expect("poll", poll(1), OK);
	expect("at once", n, 1);
}

// The longest wait there is, beside one that has no time left.
static void endless_beside_none(void) {
	byte *s = subscribe(0, 0);
	*(u32 *)(s + 16) = 1;
	*(u64 *)(s + 24) = ~0ull;
	*(u32 *)(subscribe(1, 0) + 16) = 1;
	expect("poll", poll(2), OK);
	expect("one event", n, 1);
	expect("the right one", (int)*(u64 *)events, 101);
}

static void files(void) {
	u32 fd = must_open("file", 0, R_READING), dir = must_open("dir", DIRECTORY, R_READING);
	*(u32 *)(subscribe(0, 1) + 16) = fd;
	*(u32 *)(subscribe(1, 1) + 16) = dir;
	expect("poll", poll(2), OK);
	if (n < 1) fail("events", n, 2);
	fd_close(fd);
	fd_close(dir);
}

static void overlapping_lists(void) {
	subscribe(0, 0);
	subscribe(1, 0);
	expect("events over subscriptions", poll_oneoff(PTR(subs), PTR(subs), 2, PTR(subs)), OK);
}

static const struct action polling_actions[] = {
	{"none", none}, {"many", many}, {"unknown kinds", unknown_kinds}, {"bad descriptors", bad_descriptors}, {"bad clocks", bad_clocks},
	{"times past", past_times}, {"an endless wait beside none", endless_beside_none}, {"files", files}, {"overlapping lists", overlapping_lists},
};

const struct family polling = {"polling", ACTIONS(polling_actions)};
