// Odd files, and the rules of mounts.
#include "corpus.h"

// None of these is opened, and none holds the guest up.
static const struct row odd_rows[] = {
	{"FIFO of a mount", READ, S("m/pipe"), .want = ACCES},
	{"FIFO of a mount written", WRITE, S("m/pipe"), .want = ACCES},
	{"FIFO of a mount truncated", TRUNCATE, S("m/pipe"), .want = ACCES},
	{"FIFO of a mount created", CREATE, S("m/pipe"), .want = ACCES},
	{"FIFO of a mount as a folder", FOLDER, S("m/pipe"), .want = NOTDIR},
	{"FIFO by a link", READ, S("m/l-pipe"), .want = ACCES},
	{"FIFO of a deep folder", READ, S("m/sub/deep/pipe"), .want = ACCES},
	{"FIFO by its folder", READ, S("pipe"), .want = ACCES, .at = "m"},
	{"FIFO stat", STAT, S("m/pipe"), .want = OK},
	{"FIFO of the image", READ, S("pipe"), .want = ACCES, .or = NOENT},
	{"FIFO of the image written", WRITE, S("pipe"), .want = ACCES, .or = NOENT},
	{"FIFO of a read-only mount", READ, S("ro/pipe"), .want = ACCES},
	{"FIFO of a read-only mount written", WRITE, S("ro/pipe"), .want = ACCES, .or = ROFS},
	{"socket", READ, S("m/sock"), .want = ACCES},
	{"socket written", WRITE, S("m/sock"), .want = ACCES},
	{"socket as a folder", FOLDER, S("m/sock"), .want = NOTDIR},
	{"socket by a link", READ, S("m/l-sock"), .want = ACCES},
	{"socket stat", STAT, S("m/sock"), .want = OK},
	{"device of a mount", READ, S("m/nodes/mem"), .want = ACCES, .or = NOENT},
	{"device of a mount written", WRITE, S("m/nodes/mem"), .want = ACCES, .or = NOENT},
	{"harmless device of a mount", READ, S("m/nodes/null"), .want = ACCES, .or = NOENT},
	{"disk of a mount", READ, S("m/nodes/disk"), .want = ACCES, .or = NOENT},
	{"terminal of a mount", READ, S("m/nodes/tty"), .want = ACCES, .or = NOENT},
	{"device of the image", READ, S("nodes/mem"), .want = ACCES, .or = NOENT},
	{"device of the image written", WRITE, S("nodes/mem"), .want = ACCES, .or = NOENT},
	{"disk of the image", READ, S("nodes/disk"), .want = ACCES, .or = NOENT},
	{"two names of one file", READ, S("hard/b"), S("image:hard/a")},
};

// A copy of the image's file is the container's own, whatever other names the
// image has for it.
static void hard_links(void) {
	char buf[64];
	u32 n, fd = must_open("hard/c", 0, R_WRITING);
	expect("write", write_fd(fd, "mine"), OK);
	fd_close(fd);
	fd = must_open("hard/d", 0, R_READING);
	expect("read", read_fd(fd, buf, sizeof buf, &n), OK);
	if (n < 6 || !same(buf, "image:", 6)) fail("the other name changed", n, 12);
	fd_close(fd);
}

static const struct action odd_actions[] = {{"a copy lets other names be", hard_links}};

const struct family odd = {"odd", ROWS(odd_rows), ACTIONS(odd_actions)};

static const struct row mount_rows[] = {
	{"read", READ, S("m/sub/file"), S("mount:sub/file")},
	{"read-only read", READ, S("ro/sub/file"), S("ro:sub/file")},
	{"read-only written", WRITE, S("ro/file"), .want = ROFS},
	{"read-only truncated", TRUNCATE, S("ro/file"), .want = ROFS},
	{"read-only created", CREATE, S("ro/new"), .want = ROFS},
	{"read-only mkdir", MKDIR, S("ro/new"), .want = ROFS},
	{"read-only rmdir", RMDIR, S("ro/empty"), .want = ROFS},
	{"read-only unlink", UNLINK, S("ro/file"), .want = ROFS},
	{"read-only rename", RENAME, S("ro/file"), S("ro/new"), ROFS},
	{"read-only rename out", RENAME, S("ro/file"), S("stolen"), XDEV, ROFS},
	{"read-only rename in", RENAME, S("m/file"), S("ro/new"), XDEV, ROFS},
	{"read-only link", LINK, S("ro/file"), S("ro/new"), ROFS},
	{"read-only symlink", SYMLINK, S("ro/new"), S("x"), ROFS},
	{"read-only times", TIMES, S("ro/file"), .want = ROFS},
	{"read-only folder's times", TIMES, S("ro"), .want = ROFS},
	{"nested", READ, S("m/inner/file"), S("inner:file")},
	{"nested hides", READ, S("m/inner/hidden"), .want = NOENT},
	{"nested is read-only", WRITE, S("m/inner/file"), .want = ROFS},
	{"nested by dots", WRITE, S("m/sub/../inner/file"), .want = ROFS},
	{"nested by its outer folder", CREATE, S("inner/new"), .want = ROFS, .at = "m"},
	{"nested removed", RMDIR, S("m/inner"), .want = BUSY},
	{"nested moved", RENAME, S("m/inner"), S("m/moved"), BUSY},
	{"nested replaced", RENAME, S("m/empty"), S("m/inner"), BUSY},
	{"removed", RMDIR, S("m"), .want = BUSY},
	{"moved", RENAME, S("m"), S("n"), BUSY},
	{"unlinked", UNLINK, S("m"), .want = ISDIR},
	{"replaced", RENAME, S("dir"), S("m"), BUSY},
	{"made again", MKDIR, S("m"), .want = EXIST},
	{"linked between", LINK, S("m/file"), S("stolen"), XDEV},
	{"linked into", LINK, S("file"), S("m/new"), XDEV},
	{"renamed between", RENAME, S("m/file"), S("stolen"), XDEV},
	{"renamed into", RENAME, S("file"), S("m/new"), XDEV},
	{"folder renamed between", RENAME, S("m/sub"), S("stolen"), XDEV},
	{"folder renamed into", RENAME, S("dir"), S("m/new"), XDEV},
	{"single file", READ, S("etc/single"), S("single")},
	{"single file as a folder", FOLDER, S("etc/single"), .want = NOTDIR},
	{"single file's folder", READ, S("etc/single/../secret"), .want = NOTDIR},
	{"single file's neighbour", READ, S("etc/secret"), .want = NOENT},
	{"single file removed", UNLINK, S("etc/single"), .want = BUSY},
	{"single file moved", RENAME, S("etc/single"), S("etc/double"), BUSY},
	{"single file replaced", RENAME, S("etc/passwd"), S("etc/single"), BUSY},
	{"single file linked", LINK, S("etc/single"), S("etc/double"), XDEV},
	{"single file's folder moved", RENAME, S("etc"), S("e"), BUSY},
	{"single read-only file written", WRITE, S("etc/single-ro"), .want = ROFS},
	{"single read-only file truncated", TRUNCATE, S("etc/single-ro"), .want = ROFS},
	{"scratch", CREATE, S("t/new"), .want = OK},
	{"scratch moved", RENAME, S("t"), S("t2"), BUSY},
	{"scratch renamed between", RENAME, S("t/new"), S("stolen"), XDEV},
};

const struct family mounts = {"mounts", ROWS(mount_rows)};
