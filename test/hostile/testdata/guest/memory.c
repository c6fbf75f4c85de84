// Pointers and lengths out of the guest's memory. Each is FAULT, and nothing
// was read, written or opened meanwhile.
#include "corpus.h"

static byte out[64];
static u32 number_;

// The memory's end, in bytes, and places that are not inside.
static u32 end(void) { return (u32)__builtin_wasm_memory_size(0) << 16; }

#define EACH(p) for (u32 places[] = {end() - 1, end(), end() + 1, 1u << 31, ~0u - 3, ~0u}, *p = places; p < places + 6; p++)

static void fault(const char *what, int got) { expect(what, got, FAULT); }

static void paths(void) {
	EACH(p) {
		fault("path_open", path_open(ROOT, 0, *p, 8, 0, R_READING, 0, 0, PTR(&number_)));
		fault("path_filestat_get", path_filestat_get(ROOT, 0, *p, 8, PTR(out)));
		fault("path_filestat_set_times", path_filestat_set_times(ROOT, 0, *p, 8, 0, 0, 0));
		fault("path_create_directory", path_create_directory(ROOT, *p, 8));
		fault("path_remove_directory", path_remove_directory(ROOT, *p, 8));
		fault("path_unlink_file", path_unlink_file(ROOT, *p, 8));
		fault("path_readlink", path_readlink(ROOT, *p, 8, PTR(out), sizeof out, PTR(&number_)));
		fault("path_symlink body", path_symlink(*p, 8, ROOT, PTR("x"), 1));
		fault("path_symlink", path_symlink(PTR("x"), 1, ROOT, *p, 8));
		fault("path_link from", path_link(ROOT, 0, *p, 8, ROOT, PTR("x"), 1));
		fault("path_link to", path_link(ROOT, 0, PTR("file"), 4, ROOT, *p, 8));
		fault("path_rename from", path_rename(ROOT, *p, 8, ROOT, PTR("x"), 1));
		fault("path_rename to", path_rename(ROOT, PTR("file"), 4, ROOT, *p, 8));
	}
}

static void path_lengths(void) {
	const char *p = "file";
	EACH(n) {
		fault("path_open", path_open(ROOT, 0, PTR(p), *n, 0, R_READING, 0, 0, PTR(&number_)));
		fault("path_create_directory", path_create_directory(ROOT, PTR(p), *n));
		fault("path_rename", path_rename(ROOT, PTR(p), *n, ROOT, PTR(p), *n));
		fault("path_symlink", path_symlink(PTR(p), *n, ROOT, PTR(p), *n));
	}
}

static void path_results(void) {
	EACH(p) {
		fault("path_open", path_open(ROOT, 0, PTR("t/unopened"), 10, CREAT, R_WRITING, 0, 0, *p));
		fault("path_filestat_get", path_filestat_get(ROOT, 0, PTR("file"), 4, *p));
		fault("path_readlink", path_readlink(ROOT, PTR("l-abs"), 5, *p, 64, PTR(&number_)));
		fault("path_readlink's length", path_readlink(ROOT, PTR("l-abs"), 5, PTR(out), 4, *p));
	}
	expect("nothing was made", path_filestat_get(ROOT, 0, PTR("t/unopened"), 10, PTR(out)), NOENT);
}

static void stat_results(void) {
	u32 fd = must_open("file", 0, R_READING);
	EACH(p) {
		fault("fd_fdstat_get", fd_fdstat_get(fd, *p));
		fault("fd_filestat_get", fd_filestat_get(fd, *p));
		fault("fd_prestat_get", fd_prestat_get(ROOT, *p));
		if (*p >= end()) fault("fd_prestat_dir_name", fd_prestat_dir_name(ROOT, *p, 64));
		fault("fd_seek", fd_seek(fd, 0, 1, *p));
		fault("fd_tell", fd_tell(fd, *p));
	}
	fd_close(fd);
}

static void vectors(void) {
	u32 fd = must_open("file", 0, R_READING);
	EACH(p) {
		fault("fd_read", fd_read(fd, *p, 2, PTR(&number_)));
		fault("fd_pread", fd_pread(fd, *p, 2, 0, PTR(&number_)));
		fault("fd_write", fd_write(1, *p, 2, PTR(&number_)));
	}
	fd_close(fd);
}

static void buffers(void) {
	u32 fd = must_open("file", 0, R_READING), w = must_open("t/buffers", CREAT, R_WRITING);
	EACH(p) {
		struct iovec v[] = {{PTR(out), 0}, {*p, 16}};
		fault("fd_read", fd_read(fd, PTR(v), 2, PTR(&number_)));
		fault("fd_pread", fd_pread(fd, PTR(v), 2, 0, PTR(&number_)));
		fault("fd_write", fd_write(w, PTR(v), 2, PTR(&number_)));
		fault("fd_pwrite", fd_pwrite(w, PTR(v), 2, 0, PTR(&number_)));
	}
	expect("stat", fd_filestat_get(w, PTR(out)), OK);
	expect("nothing was written", (int)*(u64 *)(out + 32), 0);
	fd_close(fd);
	fd_close(w);
}

static void buffer_lengths(void) {
	u32 fd = must_open("file", 0, R_READING);
	EACH(n) {
		struct iovec v = {PTR(out), *n};
		fault("fd_read", fd_read(fd, PTR(&v), 1, PTR(&number_)));
		fault("fd_write", fd_write(1, PTR(&v), 1, PTR(&number_)));
		fault("fd_readdir", fd_readdir(ROOT, PTR(out), *n, 0, PTR(&number_)));
		fault("random_get", random_get(PTR(out), *n));
		fault("path_readlink", path_readlink(ROOT, PTR("l-abs"), 5, PTR(out), *n, PTR(&number_)));
	}
	fd_close(fd);
}

static void transfer_results(void) {
	struct iovec v = {PTR(out), 1};
	u32 fd = must_open("file", 0, R_READING), w = must_open("t/results", CREAT, R_WRITING);
	EACH(p) {
		fault("fd_read", fd_read(fd, PTR(&v), 1, *p));
		fault("fd_pread", fd_pread(fd, PTR(&v), 1, 0, *p));
		fault("fd_write", fd_write(w, PTR(&v), 1, *p));
		fault("fd_pwrite", fd_pwrite(w, PTR(&v), 1, 0, *p));
		fault("fd_readdir", fd_readdir(ROOT, PTR(out), sizeof out, 0, *p));
	}
	expect("tell", fd_tell(fd, PTR(out)), OK);
	expect("nothing was read", *(u32 *)out, 0);
	expect("stat", fd_filestat_get(w, PTR(out)), OK);
	expect("nothing was written", (int)*(u64 *)(out + 32), 0);
	fd_close(fd);
	fd_close(w);
}

static void counts(void) {
	u32 fd = must_open("file", 0, R_READING);
	for (u32 many[] = {1025, 1u << 16, 1u << 29, (1u << 29) + 1, 1u << 31, ~0u}, *n = many; n < many + 6; n++) {
		either("fd_read", fd_read(fd, 0, *n, PTR(&number_)), INVAL, FAULT);
		either("fd_write", fd_write(1, 0, *n, PTR(&number_)), INVAL, FAULT);
	}
	fd_close(fd);
}

// Buffers that together are more than a result can tell, or than there is.
static void sums(void) {
	static struct iovec v[1024];
	u32 fd = must_open("t/sums", CREAT, R_WRITING);
	for (u32 i = 0; i < LEN(v); i++) v[i] = (struct iovec){0, end()};
	denied("fd_write", fd_write(fd, PTR(v), LEN(v), PTR(&number_)));
	for (u32 i = 0; i < LEN(v); i++) v[i] = (struct iovec){16, ~0u - 15};
	fault("fd_write around", fd_write(fd, PTR(v), LEN(v), PTR(&number_)));
	fault("fd_read around", fd_read(fd, PTR(v), LEN(v), PTR(&number_)));
	fd_close(fd);
}

static void of_the_program(void) {
	EACH(p) {
		fault("args_sizes_get", args_sizes_get(*p, PTR(&number_)));
		fault("args_sizes_get size", args_sizes_get(PTR(&number_), *p));
		fault("args_get", args_get(*p, PTR(out)));
		fault("args_get buffer", args_get(PTR(out), *p));
		fault("environ_sizes_get", environ_sizes_get(*p, PTR(&number_)));
		fault("environ_sizes_get size", environ_sizes_get(PTR(&number_), *p));
		fault("clock_time_get", clock_time_get(0, 0, *p));
		fault("clock_res_get", clock_res_get(0, *p));
		fault("random_get", random_get(*p, 16));
	}
}

static void of_polls(void) {
	static byte in[48 * 4], events[32 * 4];
	EACH(p) {
		fault("subscriptions", poll_oneoff(*p, PTR(events), 1, PTR(&number_)));
		fault("events", poll_oneoff(PTR(in), *p, 1, PTR(&number_)));
		fault("count", poll_oneoff(PTR(in), PTR(events), 1, *p));
	}
}

// Results that lie over what a call still reads.
static void overlapping(void) {
	static char mixed[256];
	struct iovec *v = (struct iovec *)mixed;
	u32 fd = must_open("file", 0, R_READING);
	v[0] = (struct iovec){PTR(mixed), sizeof mixed};
	either("buffer over its own vector", fd_read(fd, PTR(v), 1, PTR(mixed)), OK, INVAL);
	memcpy(mixed, "dir", 3);
	u32 dir;
	expect("result over the path", path_open(ROOT, 0, PTR(mixed), 3, DIRECTORY, R_READING, 0, 0, PTR(mixed)), OK);
	dir = *(u32 *)mixed;
	expect("it is a folder", fd_readdir(dir, PTR(mixed), sizeof mixed, 0, PTR(mixed)), OK);
	fd_close(dir);
	fd_close(fd);
}

#ifndef NO_SOCKETS
static void of_sockets(void) {
	u32 fd;
	expect("open", sock_open(1, 2, PTR(&fd)), OK);
	byte ip[16] = {127, 0, 0, 1};
	EACH(p) {
		u32 address[2] = {*p, 4};
		fault("sock_open", sock_open(1, 2, *p));
		fault("connect", sock_connect(fd, *p, 1));
		fault("connect's address", sock_connect(fd, PTR(address), 1));
		fault("bind", sock_bind(fd, *p, 1));
		fault("bind's address", sock_bind(fd, PTR(address), 1));
		u32 length[2] = {PTR(ip), *p};
		fault("an address's length", sock_connect(fd, PTR(length), 1));
		fault("name", sock_getaddrinfo(*p, 8, 0, 0, 0, PTR(&number_), 1, PTR(&number_)));
	}
	for (u32 odd[] = {0, 1, 3, 5, 15, 17, 127, 129, 1 << 15}, *n = odd; n < odd + 9; n++) {
		u32 address[2] = {16, *n};
		denied("an odd length", sock_connect(fd, PTR(address), 1));
	}
	fd_close(fd);
}
#endif

static const struct action actions[] = {
	{"paths", paths}, {"lengths of paths", path_lengths}, {"results of paths", path_results}, {"stats", stat_results},
	{"vectors", vectors}, {"buffers", buffers}, {"lengths of buffers", buffer_lengths}, {"results of transfers", transfer_results},
	{"counts", counts}, {"sums", sums}, {"of the program", of_the_program}, {"of polls", of_polls}, {"overlapping", overlapping},
#ifndef NO_SOCKETS
	{"of sockets", of_sockets},
#endif
};

const struct family memory = {"memory", ACTIONS(actions)};
