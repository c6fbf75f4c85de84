// Descriptor games: the guest's numbers are its own table's, and none of them
// is one of the host's process.
#include "corpus.h"

static byte out[256];
static char buf[256];

static int stat_of(u32 fd) { return fd_fdstat_get(fd, PTR(out)); }

// every asks each call that takes a descriptor.
static void every(const char *what, u32 fd, int want) {
	struct iovec v = {PTR(buf), sizeof buf};
	u32 n;
	expect(what, stat_of(fd), want);
	expect("fd_close", fd_close(fd), want);
	expect("fd_read", fd_read(fd, PTR(&v), 1, PTR(&n)), want);
	expect("fd_write", fd_write(fd, PTR(&v), 1, PTR(&n)), want);
	expect("fd_pread", fd_pread(fd, PTR(&v), 1, 0, PTR(&n)), want);
	expect("fd_pwrite", fd_pwrite(fd, PTR(&v), 1, 0, PTR(&n)), want);
	expect("fd_seek", fd_seek(fd, 0, 0, PTR(out)), want);
	expect("fd_tell", fd_tell(fd, PTR(out)), want);
	expect("fd_sync", fd_sync(fd), want);
	expect("fd_datasync", fd_datasync(fd), want);
	expect("fd_advise", fd_advise(fd, 0, 1, 0), want);
	expect("fd_allocate", fd_allocate(fd, 0, 1), want);
	expect("fd_fdstat_set_flags", fd_fdstat_set_flags(fd, 0), want);
	expect("fd_fdstat_set_rights", fd_fdstat_set_rights(fd, 0, 0), want);
	expect("fd_filestat_get", fd_filestat_get(fd, PTR(out)), want);
	expect("fd_filestat_set_size", fd_filestat_set_size(fd, 0), want);
	expect("fd_filestat_set_times", fd_filestat_set_times(fd, 0, 0, 0), want);
	expect("fd_prestat_get", fd_prestat_get(fd, PTR(out)), want);
	expect("fd_prestat_dir_name", fd_prestat_dir_name(fd, PTR(buf), sizeof buf), want);
	expect("fd_readdir", fd_readdir(fd, PTR(buf), sizeof buf, 0, PTR(&n)), want);
	expect("fd_renumber from", fd_renumber(fd, 2), want);
	expect("fd_renumber to", fd_renumber(2, fd), want);
	expect("path_open", path_open(fd, 0, PTR("file"), 4, 0, R_READING, 0, 0, PTR(&n)), want);
	expect("path_filestat_get", path_filestat_get(fd, 0, PTR("file"), 4, PTR(out)), want);
	expect("path_create_directory", path_create_directory(fd, PTR("x"), 1), want);
	expect("path_link", path_link(fd, 0, PTR("file"), 4, ROOT, PTR("x"), 1), want);
	expect("path_link to", path_link(ROOT, 0, PTR("file"), 4, fd, PTR("x"), 1), want);
	expect("path_readlink", path_readlink(fd, PTR("file"), 4, PTR(buf), sizeof buf, PTR(&n)), want);
	expect("path_remove_directory", path_remove_directory(fd, PTR("x"), 1), want);
	expect("path_rename", path_rename(fd, PTR("file"), 4, ROOT, PTR("x"), 1), want);
	expect("path_rename to", path_rename(ROOT, PTR("file"), 4, fd, PTR("x"), 1), want);
	expect("path_symlink", path_symlink(PTR("x"), 1, fd, PTR("x"), 1), want);
	expect("path_unlink_file", path_unlink_file(fd, PTR("x"), 1), want);
#ifndef NO_SOCKETS
	expect("sock_accept", sock_accept(fd, 0, PTR(&n)), want);
	expect("sock_recv", sock_recv(fd, PTR(&v), 1, 0, PTR(&n), PTR(out)), want);
	expect("sock_send", sock_send(fd, PTR(&v), 1, 0, PTR(&n)), want);
	expect("sock_shutdown", sock_shutdown(fd, 3), want);
#endif
}

static void never_opened(void) { every("fd_fdstat_get", 77, BADF); }
static void negative(void) { every("fd_fdstat_get", -1u, BADF); }
static void at_working_folder(void) { every("fd_fdstat_get", -100u, BADF); } // the host's AT_FDCWD
static void huge(void) { every("fd_fdstat_get", 1u << 31, BADF); }
static void past_the_table(void) { every("fd_fdstat_get", 65536, BADF); }
static void wrapping(void) { every("fd_fdstat_get", (1u << 30) + 3, BADF); }

static void closed(void) {
	u32 fd = must_open("file", 0, R_READING);
	expect("close", fd_close(fd), OK);
	every("fd_fdstat_get", fd, BADF);
}

static void closed_folder(void) {
	u32 fd = must_open("dir", DIRECTORY, R_READING);
	expect("close", fd_close(fd), OK);
	every("fd_fdstat_get", fd, BADF);
}

// The process has files of its own at these numbers.
static void of_the_host(void) {
	struct iovec v = {PTR(buf), sizeof buf};
	u32 n;
	for (u32 fd = ROOT + 1; fd < 1024; fd++) {
		if (stat_of(fd) != BADF) fail("a descriptor is there", fd, BADF);
		expect("read", fd_read(fd, PTR(&v), 1, PTR(&n)), BADF);
		expect("write", fd_write(fd, PTR(&v), 1, PTR(&n)), BADF);
		expect("open", path_open(fd, 0, PTR("file"), 4, 0, R_READING, 0, 0, PTR(&n)), BADF);
	}
}

static void one_preopen(void) {
	expect("its kind", fd_prestat_get(ROOT, PTR(out)), OK);
	expect("its name's length", *(u32 *)(out + 4), 1);
	expect("its name", fd_prestat_dir_name(ROOT, PTR(buf), 1), OK);
	if (buf[0] != '/') fail("its name", buf[0], '/');
	expect("no room for its name", fd_prestat_dir_name(ROOT, PTR(buf), 0), NAMETOOLONG);
	for (u32 fd = 0; fd < 64; fd++)
		if (fd != ROOT) expect("another", fd_prestat_get(fd, PTR(out)), BADF);
	u32 fd = must_open("dir", DIRECTORY, R_READING);
	expect("a folder that was opened", fd_prestat_get(fd, PTR(out)), BADF);
	fd_close(fd);
}

static void wrong_kind(void) {
	struct iovec v = {PTR(buf), sizeof buf};
	u32 n, fd = must_open("file", 0, R_READING), dir = must_open("dir", DIRECTORY, R_READING);
	expect("open below a file", path_open(fd, 0, PTR("x"), 1, 0, R_READING, 0, 0, PTR(&n)), NOTDIR);
	expect("list a file", fd_readdir(fd, PTR(buf), sizeof buf, 0, PTR(&n)), NOTDIR);
	expect("stat below a file", path_filestat_get(fd, 0, PTR("x"), 1, PTR(out)), NOTDIR);
	expect("open below stdin", path_open(0, 0, PTR("x"), 1, 0, R_READING, 0, 0, PTR(&n)), NOTDIR);
	expect("list stdout", fd_readdir(1, PTR(buf), sizeof buf, 0, PTR(&n)), NOTDIR);
	expect("read a folder", fd_read(dir, PTR(&v), 1, PTR(&n)), ISDIR);
	denied("write a folder", fd_write(dir, PTR(&v), 1, PTR(&n)));
	denied("seek a folder", fd_seek(dir, 0, 0, PTR(out)));
	denied("size of a folder", fd_filestat_set_size(dir, 0));
	denied("allocate a folder", fd_allocate(dir, 0, 1));
	fd_close(fd);
	fd_close(dir);
}

static void wrong_way(void) {
	struct iovec v = {PTR(buf), 1};
	u32 n, fd = must_open("file", 0, R_FD_READ);
	denied("write what is open for reading", fd_write(fd, PTR(&v), 1, PTR(&n)));
	denied("write it in place", fd_pwrite(fd, PTR(&v), 1, 0, PTR(&n)));
	denied("size", fd_filestat_set_size(fd, 0));
	denied("allocate", fd_allocate(fd, 0, 1));
	fd_close(fd);
	fd = must_open("t/wrong-way", CREAT, R_FD_WRITE);
	expect("write", fd_write(fd, PTR(&v), 1, PTR(&n)), OK);
	denied("read what is open for writing", fd_read(fd, PTR(&v), 1, PTR(&n)));
	fd_close(fd);
}

// Rights only shrink, and what is opened below has no more.
static void rights_shrink(void) {
	u32 fd, dir = must_open("dir", DIRECTORY, R_READING);
	expect("give up", fd_fdstat_set_rights(dir, R_PATH_OPEN, R_FD_READ), OK);
	expect("take back", fd_fdstat_set_rights(dir, R_PATH_OPEN | R_MKDIR, R_FD_READ), NOTCAPABLE);
	expect("take back what is passed on", fd_fdstat_set_rights(dir, R_PATH_OPEN, R_FD_READ | R_FD_WRITE), NOTCAPABLE);
	expect("all", fd_fdstat_set_rights(dir, ~0ull, ~0ull), NOTCAPABLE);
	expect("mkdir", path_create_directory(dir, PTR("x"), 1), NOTCAPABLE);
	expect("unlink", path_unlink_file(dir, PTR("x"), 1), NOTCAPABLE);
	expect("symlink", path_symlink(PTR("x"), 1, dir, PTR("x"), 1), NOTCAPABLE);
	expect("stat", path_filestat_get(dir, 0, PTR("x"), 1, PTR(out)), NOTCAPABLE);
	expect("create", path_open(dir, 0, PTR("x"), 1, CREAT, R_WRITING, 0, 0, PTR(&fd)), NOTCAPABLE);
	expect("open below", path_open(dir, 0, PTR("nested"), 6, DIRECTORY, R_ALL, R_ALL, 0, PTR(&fd)), OK);
	expect("mkdir below", path_create_directory(fd, PTR("x"), 1), NOTCAPABLE);
	fd_close(fd);
	expect("write below", path_open(dir, 0, PTR("nested/file"), 11, 0, R_WRITING, 0, 0, PTR(&fd)), OK);
	struct iovec v = {PTR(buf), 1};
	u32 n;
	denied("write", fd_write(fd, PTR(&v), 1, PTR(&n)));
	fd_close(fd);
	fd_close(dir);
}

static void renumbered(void) {
	u32 n, a = must_open("file", 0, R_READING), b = must_open("dir/nested/file", 0, R_READING);
	expect("onto itself", fd_renumber(a, a), OK);
	expect("onto another", fd_renumber(a, b), OK);
	expect("the old number", stat_of(a), BADF);
	expect("read", read_fd(b, buf, sizeof buf, &n), OK);
	if (!same(buf, "image:file", 10)) fail("the wrong file", n, 10);
	expect("to a number that is free", fd_renumber(b, 900), BADF);
	expect("from a number that is free", fd_renumber(900, b), BADF);
	fd_close(b);
}

static void too_many(void) {
	static u32 fds[70000];
	u32 n = 0;
	int e = OK;
	while (n < LEN(fds) && (e = open_at(ROOT, text("file"), 0, 0, R_READING, &fds[n])) == OK) n++;
	either("the last", e, MFILE, NFILE);
	if (n < 16) fail("opened", n, 16);
	while (n) expect("close", fd_close(fds[--n]), OK);
	fds[0] = must_open("file", 0, R_READING);
	fd_close(fds[0]);
}

static void strange_flags(void) {
	u32 fd = must_open("file", 0, R_READING);
	expect("unknown flags", fd_fdstat_set_flags(fd, 0xffff), INVAL);
	expect("lookup flags", path_open(ROOT, 0xff, PTR("file"), 4, 0, R_READING, 0, 0, PTR(buf)), INVAL);
	expect("open flags", path_open(ROOT, 0, PTR("file"), 4, 0xfff0, R_READING, 0, 0, PTR(buf)), INVAL);
	expect("descriptor flags", path_open(ROOT, 0, PTR("file"), 4, 0, R_READING, 0, 0xffe0, PTR(buf)), INVAL);
	expect("whence", fd_seek(fd, 0, 9, PTR(buf)), INVAL);
	expect("advice", fd_advise(fd, 0, 0, 99), INVAL);
	expect("times both set and now", fd_filestat_set_times(fd, 0, 0, 3), INVAL);
	expect("times unknown", fd_filestat_set_times(fd, 0, 0, 0xf0), INVAL);
	fd_close(fd);
}

// What a guest does to its standard streams it does to itself.
static void over_stdin(void) {
	u32 n, fd = must_open("file", 0, R_READING);
	expect("renumber", fd_renumber(fd, 0), OK);
	expect("read", read_fd(0, buf, sizeof buf, &n), OK);
	if (!same(buf, "image:file", 10)) fail("content", n, 10);
	expect("close", fd_close(0), OK);
	expect("next is the lowest", must_open("file", 0, R_READING), 0);
}

static void over_root(void) {
	u32 fd = must_open("dir", DIRECTORY, R_READING);
	expect("renumber", fd_renumber(fd, ROOT), OK);
	denied("is no preopen", fd_prestat_get(ROOT, PTR(out)));
	expect("open below", open_at(ROOT, text("nested/file"), 0, 0, R_READING, &fd), OK);
	expect("climb", open_at(ROOT, text("../file"), 0, 0, R_READING, &fd), NOTCAPABLE);
	expect("a link that climbs", open_at(ROOT, text("l-near"), FOLLOW, 0, R_READING, &fd), NOENT);
}

static void without_root(void) {
	u32 fd;
	expect("close", fd_close(ROOT), OK);
	expect("open", open_at(ROOT, text("file"), 0, 0, R_READING, &fd), BADF);
	expect("again", fd_close(ROOT), BADF);
	expect("prestat", fd_prestat_get(ROOT, PTR(out)), BADF);
#ifndef NO_SOCKETS
	expect("a socket takes the number", sock_open(1, 2, PTR(&fd)), OK);
	expect("open below it", open_at(fd, text("file"), 0, 0, R_READING, &fd), NOTDIR);
#endif
}

static void file_as_root(void) {
	u32 fd = must_open("file", 0, R_READING);
	expect("renumber", fd_renumber(fd, ROOT), OK);
	expect("open", open_at(ROOT, text("x"), 0, 0, R_READING, &fd), NOTDIR);
	expect("climb", open_at(ROOT, text(".."), 0, DIRECTORY, R_READING, &fd), NOTDIR);
}

static void without_rights(void) {
	u32 fd;
	expect("give up all", fd_fdstat_set_rights(ROOT, 0, 0), OK);
	expect("open", open_at(ROOT, text("file"), 0, 0, R_READING, &fd), NOTCAPABLE);
	expect("take back", fd_fdstat_set_rights(ROOT, R_PATH_OPEN, 0), NOTCAPABLE);
	expect("list", fd_readdir(ROOT, PTR(buf), sizeof buf, 0, PTR(&fd)), NOTCAPABLE);
}

static const struct action actions[] = {
	{"of the host's process", of_the_host}, {"never opened", never_opened}, {"negative", negative}, {"the host's working folder", at_working_folder},
	{"huge", huge}, {"past the table", past_the_table}, {"wrapping around", wrapping},
	{"closed", closed}, {"closed folder", closed_folder}, {"one preopen", one_preopen}, {"of the wrong kind", wrong_kind},
	{"the wrong way", wrong_way}, {"rights only shrink", rights_shrink}, {"renumbered", renumbered}, {"too many", too_many},
	{"strange flags", strange_flags},
	{"over stdin", over_stdin, true}, {"over the root", over_root, true}, {"without a root", without_root, true},
	{"a file as the root", file_as_root, true}, {"a root without rights", without_rights, true},
};

const struct family descriptors = {"descriptors", ACTIONS(actions)};
