// Loops that go on for as long as the argument ms says, while the host changes
// what they walk through. Each must get to its own files now and then.
#include "corpus.h"

static char buf[4096];
static u32 n;

static u64 now(void) {
	u64 t = 0;
	clock_time_get(1, 1, PTR(&t));
	return t;
}

// visit does to a path what can be done.
static bool visit(u32 at, const char *path, const char *begins) {
	struct text t = text(path);
	u32 fd;
	int e = open_at(at, t, FOLLOW, 0, R_READING, &fd);
	if (e == AGAIN || e == IO) fail(path, e, NOENT);
	if (e != OK) return false;
	e = read_fd(fd, buf, sizeof buf, &n);
	bool seen = e == OK && n >= (u32)length(begins) && same(buf, begins, length(begins));
	if (e == OK && n && !seen) fail("another file's content", n, 0);
	fd_close(fd);
	return seen;
}

static void disturb(u32 at, const char *folder) {
	static char path[256];
	int len = length(folder);
	memcpy(path, folder, len);
	memcpy(path + len, "/new", 4);
	struct text t = {path, len + 4}, f = text(folder);
	byte stat[64];
	u32 fd;
	if (open_at(at, t, FOLLOW, CREAT, R_WRITING, &fd) == OK) {
		struct iovec v = {PTR("guest"), 5};
		fd_write(fd, PTR(&v), 1, PTR(&n));
		fd_close(fd);
	}
	path_filestat_set_times(at, FOLLOW, P(t), 1, 1, 5);
	path_filestat_get(at, FOLLOW, P(f), PTR(stat));
	if (open_at(at, f, FOLLOW, DIRECTORY, R_READING, &fd) == OK) {
		list_fd(fd, buf, sizeof buf, &n);
		struct text inside = {"file", 4};
		if (open_at(fd, inside, FOLLOW, 0, R_READING, &at) == OK) {
			read_fd(at, buf, sizeof buf, &n);
			fd_close(at);
		}
		fd_close(fd);
		at = ROOT;
	}
	path_unlink_file(ROOT, P(t));
}

#define LOOP_UNTIL_DONE(hits) \
	int hits = 0; \
	for (u64 end = now() + (u64)number("ms") * 1000000; now() < end;)

static void some(int hits) {
	if (!hits) fail("times that the own file was met", 0, 1);
}

static void folder_for_link(void) {
	LOOP_UNTIL_DONE(hits) {
		hits += visit(ROOT, "m/r1/swap/file", "mount:");
		hits += visit(ROOT, "m/r1/swap/sub/../file", "mount:");
		hits += visit(ROOT, "m/r1/./swap//sub/file", "mount:");
		disturb(ROOT, "m/r1/swap");
	}
	some(hits);
}

static void rename_above(void) {
	u32 held = must_open("m/r2/a", DIRECTORY, R_READING);
	LOOP_UNTIL_DONE(hits) {
		hits += visit(ROOT, "m/r2/a/b/c/file", "mount:");
		visit(ROOT, "m/r2/a/b/c/../../outside/file", "mount:");
		visit(ROOT, "m/r2/a/b/../outside/file", "mount:");
		visit(held, "b/c/../../outside/file", "mount:");
		visit(held, "b/c/../../../outside/file", "mount:");
		hits += visit(held, "b/c/../../here", "mount:");
		disturb(ROOT, "m/r2/a/b/c");
	}
	fd_close(held);
	some(hits);
}

static void link_in_the_middle(void) {
	LOOP_UNTIL_DONE(hits) {
		hits += visit(ROOT, "m/r3/x/l/file", "mount:");
		hits += visit(ROOT, "m/r3/x/l/sub/file", "mount:");
		disturb(ROOT, "m/r3/x/l");
	}
	some(hits);
}

static void file_for_anything(void) {
	LOOP_UNTIL_DONE(hits) {
		hits += visit(ROOT, "m/r4/thing", "mount:");
		u32 fd;
		if (open_at(ROOT, text("m/r4/thing"), 0, 0, R_WRITING, &fd) == OK) fd_close(fd);
		struct text t = text("m/r4/thing"), to = text("m/r4/linked");
		if (path_link(ROOT, FOLLOW, P(t), ROOT, P(to)) == OK) {
			visit(ROOT, "m/r4/linked", "mount:");
			path_unlink_file(ROOT, P(to));
		}
		path_filestat_set_times(ROOT, FOLLOW, P(t), 1, 1, 5);
	}
	some(hits);
}

static void single_file(void) {
	LOOP_UNTIL_DONE(hits) {
		hits += visit(ROOT, "etc/race", "single");
		byte stat[64];
		struct text t = text("etc/race");
		path_filestat_get(ROOT, FOLLOW, P(t), PTR(stat));
		path_filestat_set_times(ROOT, FOLLOW, P(t), 1, 1, 5);
	}
	some(hits);
}

// The guest swaps folders of its own for links out, while the engine copies
// files into the container.
static void copy_into(void) {
	struct text dir = text("r6/dir"), away = text("r6/away"), body = text("../../../outside"), file = text("r6/dir/file");
	LOOP_UNTIL_DONE(hits) {
		u32 fd;
		hits += visit(ROOT, "r6/dir/file", "image:") || visit(ROOT, "r6/dir/copied", "copied");
		if (path_rename(ROOT, P(dir), ROOT, P(away)) == OK) {
			path_symlink(P(body), ROOT, P(dir));
			sched_yield();
			path_unlink_file(ROOT, P(dir));
			path_rename(ROOT, P(away), ROOT, P(dir));
		}
		if (open_at(ROOT, file, FOLLOW, CREAT, R_WRITING, &fd) == OK) fd_close(fd);
	}
	some(hits);
}

static const struct action actions[] = {
	{"folder for link", folder_for_link, true}, {"rename above", rename_above, true}, {"link in the middle", link_in_the_middle, true},
	{"file for anything", file_for_anything, true}, {"single file", single_file, true}, {"copy into", copy_into, true},
};

const struct family races = {"races", ACTIONS(actions)};
