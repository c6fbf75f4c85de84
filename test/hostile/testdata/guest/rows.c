// How a row of a table is run.
#include "corpus.h"

static char expanded[2][8192];
static char buffer[1 << 16];

struct text expand(struct text t, char *buf, int size) {
	int n = 0;
	for (int i = 0; i < t.n; i++) {
		const char *add = t.s[i] == '@' ? argument("outside") : t.s[i] == '&' ? argument("base") : 0;
		if (!add) {
			if (n < size) buf[n++] = t.s[i];
			continue;
		}
		for (; *add && n < size; add++) buf[n++] = *add;
	}
	return (struct text){buf, n};
}

int open_at(u32 fd, struct text path, u32 lookup, u32 oflags, u64 rights, u32 *out) {
	return path_open(fd, lookup, P(path), oflags, rights, R_ALL, 0, PTR(out));
}

u32 must_open(const char *path, u32 oflags, u64 rights) {
	u32 fd = ~0u;
	expect(path, open_at(ROOT, text(path), FOLLOW, oflags, rights, &fd), OK);
	return fd;
}

int read_fd(u32 fd, char *buf, u32 size, u32 *n) {
	struct iovec v = {PTR(buf), size};
	*n = 0;
	int e = fd_read(fd, PTR(&v), 1, PTR(n));
	if (e == OK) look(buf, *n);
	return e;
}

int write_fd(u32 fd, const char *s) {
	struct iovec v = {PTR(s), (u32)length(s)};
	u32 n;
	return fd_write(fd, PTR(&v), 1, PTR(&n));
}

int list_fd(u32 fd, char *buf, u32 size, u32 *n) {
	*n = 0;
	int e = fd_readdir(fd, PTR(buf), size, 0, PTR(n));
	if (e == OK) look(buf, *n);
	return e;
}

// What a file that was opened says of itself.
static int content(u32 fd, struct text begins) {
	u32 n;
	int e = read_fd(fd, buffer, sizeof buffer, &n);
	if (e == OK && (n < (u32)begins.n || !same(buffer, begins.s, begins.n))) fail("content of bytes", n, begins.n);
	return e;
}

// The number of names in a folder beside "." and "..".
static int names(u32 fd, int *count) {
	u32 n;
	int e = list_fd(fd, buffer, sizeof buffer, &n);
	*count = -2;
	for (u32 at = 0; e == OK && at + 24 <= n; ++*count) at += 24 + *(u32 *)(buffer + at + 16);
	return e;
}

static int opening(const struct row *r, u32 at, struct text path) {
	u32 fd, lookup = r->op == READN || r->op == EXCLUSIVE ? 0 : FOLLOW, oflags = 0;
	u64 rights = R_READING;
	switch (r->op) {
	case WRITE: rights = R_WRITING; break;
	case TRUNCATE: rights = R_WRITING; oflags = TRUNC; break;
	case CREATE: rights = R_WRITING; oflags = CREAT; break;
	case EXCLUSIVE: rights = R_WRITING; oflags = CREAT | EXCL; break;
	case FOLDER: case LIST: case SHUT: oflags = DIRECTORY; break;
	default: break;
	}
	int count, e = open_at(at, path, lookup, oflags, rights, &fd);
	if (e != OK) return e;
	if (r->op == READ || r->op == READN) e = content(fd, r->to);
	if (r->op == LIST || r->op == SHUT) e = names(fd, &count);
	if (r->op == SHUT && e == OK && count == 0) e = ACCES; // as good as shut
	if (r->op == WRITE || r->op == TRUNCATE) { // what can be written can be read
		struct text none = {"", 0};
		content(fd, none);
	}
	fd_close(fd);
	return e;
}

static int readlink(u32 at, struct text path, struct text want) {
	u32 n = 0;
	int e = path_readlink(at, P(path), PTR(buffer), sizeof buffer, PTR(&n));
	if (e == OK) look(buffer, n);
	if (e == OK && want.n && (n != (u32)want.n || !same(buffer, want.s, n))) fail("body of bytes", n, want.n);
	return e;
}

static int perform(const struct row *r, u32 at, struct text path, struct text to) {
	byte stat[64];
	switch (r->op) {
	case STAT: return path_filestat_get(at, FOLLOW, P(path), PTR(stat));
	case LSTAT: return path_filestat_get(at, 0, P(path), PTR(stat));
	case TIMES: return path_filestat_set_times(at, FOLLOW, P(path), 1, 1, 1 | 4);
	case READLINK: return readlink(at, path, to);
	case MKDIR: return path_create_directory(at, P(path));
	case RMDIR: return path_remove_directory(at, P(path));
	case UNLINK: return path_unlink_file(at, P(path));
	case SYMLINK: return path_symlink(P(to), at, P(path));
	case LINK: return path_link(at, 0, P(path), at, P(to));
	case LINKF: return path_link(at, FOLLOW, P(path), at, P(to));
	case RENAME: return path_rename(at, P(path), at, P(to));
	default: return opening(r, at, path);
	}
}

int run_row(const struct row *r) {
	u32 at = ROOT;
	if (r->at) at = must_open(r->at, DIRECTORY, R_READING);
	struct text path = expand(r->path, expanded[0], sizeof expanded[0]);
	struct text to = expand(r->to, expanded[1], sizeof expanded[1]);
	int e = perform(r, at, path, to);
	either("error", e, r->want, r->or ? r->or : r->want);
	if (r->at) fd_close(at);
	return e;
}
