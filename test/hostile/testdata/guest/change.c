// Renames, hard links, and what is removed of the image.
#include "corpus.h"

static char buf[8192];

static int read_path(const char *path, const char *begins) {
	u32 n, fd;
	int e = open_at(ROOT, text(path), FOLLOW, 0, R_READING, &fd);
	if (e != OK) return e;
	e = read_fd(fd, buf, sizeof buf, &n);
	if (e == OK && (n < (u32)length(begins) || !same(buf, begins, length(begins)))) fail(path, n, length(begins));
	fd_close(fd);
	return e;
}

static int move(u32 from, const char *old, u32 to, const char *new) {
	struct text a = text(old), b = text(new);
	return path_rename(from, P(a), to, P(b));
}

static int make(const char *path) {
	struct text t = text(path);
	return path_create_directory(ROOT, P(t));
}

static int unlink(const char *path) {
	struct text t = text(path);
	return path_unlink_file(ROOT, P(t));
}

static int rmdir(const char *path) {
	struct text t = text(path);
	return path_remove_directory(ROOT, P(t));
}

static int symlink(const char *body, const char *path) {
	struct text b = text(body), p = text(path);
	return path_symlink(P(b), ROOT, P(p));
}

static int create(const char *path) {
	u32 fd;
	int e = open_at(ROOT, text(path), FOLLOW, CREAT, R_WRITING, &fd);
	if (e == OK) {
		expect(path, write_fd(fd, "guest"), OK);
		fd_close(fd);
	}
	return e;
}

static const struct row moving_rows[] = {
	{"the root", RENAME, S("."), S("x"), BUSY},
	{"to the root", RENAME, S("file"), S("."), BUSY},
	{"dot", RENAME, S("dir/."), S("x"), BUSY},
	{"dots at the end", RENAME, S("dir/nested/.."), S("x"), BUSY},
	{"nothing", RENAME, S("nowhere"), S("x"), NOENT},
	{"into nothing", RENAME, S("file"), S("nowhere/x"), NOENT},
	{"below a file", RENAME, S("dir"), S("file/x"), NOTDIR},
	{"a folder over a file", RENAME, S("dir"), S("file"), NOTDIR},
	{"a file over a folder", RENAME, S("file"), S("dir"), ISDIR},
	{"a folder into itself", RENAME, S("dir"), S("dir/x"), INVAL},
	{"a folder deep into itself", RENAME, S("dir"), S("dir/nested/x"), INVAL},
	{"a folder over its own", RENAME, S("dir/nested"), S("dir"), NOTEMPTY},
	{"a folder over a full one", RENAME, S("app"), S("dir"), NOTEMPTY},
	{"a file with a slash", RENAME, S("file/"), S("x"), NOTDIR},
	{"to a file with a slash", RENAME, S("file"), S("x/"), NOTDIR},
	{"onto itself", RENAME, S("file"), S("file")},
};

// A folder moves while a descriptor below it is open.
static void above_descriptor(void) {
	u32 fd = must_open("mv/a/b", DIRECTORY, R_READING), file;
	expect("move", move(ROOT, "mv/a", ROOT, "mv/z"), OK);
	expect("file", open_at(fd, text("file"), 0, 0, R_READING, &file), OK);
	fd_close(file);
	expect("climb", open_at(fd, text("../../../outside/secret"), 0, 0, R_READING, &file), NOTCAPABLE);
	expect("up", open_at(fd, text(".."), 0, DIRECTORY, R_READING, &file), NOTCAPABLE);
	expect("old name", read_path("mv/a/b/file", ""), NOENT);
	expect("new name", read_path("mv/z/b/file", "image:mv/a/b/file"), OK);
	fd_close(fd);
}

static void above_descriptor_in_mount(void) {
	expect("make", make("m/mv"), OK);
	expect("make", make("m/mv/b"), OK);
	expect("create", create("m/mv/b/file"), OK);
	u32 fd = must_open("m/mv/b", DIRECTORY, R_READING), file;
	expect("move", move(ROOT, "m/mv", ROOT, "m/sub/mv"), OK);
	expect("file", open_at(fd, text("file"), 0, 0, R_READING, &file), OK);
	fd_close(file);
	expect("climb", open_at(fd, text("../../../../outside/secret"), 0, 0, R_READING, &file), NOTCAPABLE);
	expect("create", path_create_directory(fd, PTR("d"), 1), OK);
	expect("move back", move(ROOT, "m/sub/mv", ROOT, "m/mv"), OK);
	fd_close(fd);
}

// A folder that is open goes away, and another takes its name.
static void removed_below_descriptor(void) {
	u32 fd, file;
	expect("make", make("mv-gone"), OK);
	fd = must_open("mv-gone", DIRECTORY, R_READING);
	expect("rmdir", rmdir("mv-gone"), OK);
	expect("link takes its place", symlink("m/l-neardir", "mv-gone"), OK);
	expect("open", open_at(fd, text("secret"), FOLLOW, 0, R_READING, &file), NOENT);
	expect("make", path_create_directory(fd, PTR("d"), 1), NOENT);
	expect("climb", open_at(fd, text(".."), FOLLOW, DIRECTORY, R_READING, &file), NOTCAPABLE);
	fd_close(fd);
}

// Links that the guest makes are as the image's: true inside.
static void own_links(void) {
	expect("climbing link", symlink("../outside/secret", "mv-l1"), OK);
	expect("it leads nowhere", read_path("mv-l1", ""), NOENT);
	expect("in a mount", symlink("../outside/secret", "m/mv-l2"), OK);
	expect("it leads nowhere", read_path("m/mv-l2", ""), NOENT);
	expect("deep climb", symlink("../../../../../../../../../../etc/passwd", "m/mv-l3"), OK);
	expect("it is the image's", read_path("m/mv-l3", "image:etc/passwd"), OK);
	expect("absolute link", symlink("/etc/passwd", "mv-l4"), NOTCAPABLE);
	struct text out = {argument("outside"), length(argument("outside"))};
	expect("absolute to the outside", path_symlink(P(out), ROOT, PTR("mv-l5"), 5), NOTCAPABLE);
	expect("moved to where it climbs further", move(ROOT, "mv-l1", ROOT, "dir/nested/mv-l1"), OK);
	expect("it leads nowhere", read_path("dir/nested/mv-l1", ""), NOENT);
	expect("through a folder made so", symlink("..", "m/mv-up"), OK);
	expect("its outside", read_path("m/mv-up/outside/secret", ""), NOENT);
	expect("create through a link", create("m/mv-l2"), NOENT);
	unlink("m/mv-l2");
	unlink("m/mv-l3");
	unlink("m/mv-up");
}

static void over_open_file(void) {
	u32 n;
	expect("create", create("mv-one"), OK);
	expect("create", create("mv-two"), OK);
	u32 fd = must_open("mv-two", 0, R_READING);
	expect("rename over", move(ROOT, "mv-one", ROOT, "mv-two"), OK);
	expect("the old one stays readable", read_fd(fd, buf, sizeof buf, &n), OK);
	fd_close(fd);
	expect("rename over a link", symlink("m/l-near", "mv-three"), OK);
	expect("rename over a link", move(ROOT, "mv-two", ROOT, "mv-three"), OK);
	expect("the link is replaced", read_path("mv-three", "guest"), OK);
}

static const struct action moving_actions[] = {
	{"above a descriptor", above_descriptor}, {"above a descriptor in a mount", above_descriptor_in_mount},
	{"removed below a descriptor", removed_below_descriptor}, {"links of the guest's own", own_links},
	{"over an open file", over_open_file},
};

const struct family moving = {"moving", ROWS(moving_rows), ACTIONS(moving_actions)};

static const struct row linking_rows[] = {
	{"to a folder", LINK, S("dir"), S("d2"), PERM},
	{"to the root", LINK, S("."), S("d2"), PERM},
	{"to a folder of a mount", LINK, S("m/sub"), S("m/s2"), PERM},
	{"to nothing", LINK, S("nowhere"), S("x"), NOENT},
	{"over itself", LINK, S("file"), S("file"), EXIST},
	{"over a folder", LINK, S("file"), S("dir"), EXIST},
	{"over the root", LINK, S("file"), S("."), EXIST},
	{"with a slash", LINK, S("file"), S("x/"), NOENT},
	{"from with a slash", LINK, S("file/"), S("x"), NOTDIR},
	{"to a link itself", LINK, S("l-out"), S("lk-out"), OK},
	{"which still leads nowhere", READ, S("lk-out"), .want = NOENT},
	{"to a link of a mount itself", LINK, S("m/l-near"), S("m/lk-near"), OK},
	{"which leads nowhere too", READ, S("m/lk-near"), .want = NOENT},
	{"into a folder outside", LINK, S("file"), S("l-neardir/new"), NOENT},
	{"of a mount into the folder outside", LINK, S("m/file"), S("m/l-neardir/new"), NOENT},
};

// A hard link to a file of the image is to the container's copy.
static void linked_copy(void) {
	u32 fd;
	expect("link", path_link(ROOT, 0, PTR("lk/file"), 7, ROOT, PTR("lk/two"), 6), OK);
	fd = must_open("lk/two", 0, R_WRITING);
	expect("write", write_fd(fd, "guest"), OK);
	fd_close(fd);
	expect("both", read_path("lk/file", "guest"), OK);
	expect("unlink", unlink("lk/file"), OK);
	expect("the other", read_path("lk/two", "guest"), OK);
}

static const struct action linking_actions[] = {{"to a copy", linked_copy}};

const struct family linking = {"linking", ROWS(linking_rows), ACTIONS(linking_actions)};

static const struct row masks_rows[] = {
	{"the upper level's masks", LIST, S("../white"), .want = NOTCAPABLE},
	{"the upper level's data", LIST, S("../data"), .want = NOTCAPABLE},
	{"the upper level's work", LIST, S("../work"), .want = NOTCAPABLE},
	{"the upper level by name", LIST, S("upper"), .want = NOENT},
	{"a folder called white", READ, S("white/file"), S("image:white/file")},
	{"a folder called data", READ, S("data/file"), S("image:data/file")},
	{"a mask of AUFS is a file", CREATE, S(".wh.file")},
	{"and masks nothing", READ, S("file"), S("image:file")},
	{"an opaque mark of AUFS is a file", CREATE, S("dir/.wh..wh..opq")},
	{"and hides nothing", READ, S("dir/nested/file"), S("image:dir/nested/file")},
	{"a mask made by the guest", CREATE, S("etc/.wh.passwd"), .want = OK},
	{"masks nothing either", READ, S("etc/passwd"), S("image:etc/passwd")},
	{"a name of unfinished work", CREATE, S(".wherry-1-1"), .want = OK},
	{"unlink of a folder", UNLINK, S("dir"), .want = ISDIR},
	{"unlink of the root", UNLINK, S("."), .want = ISDIR},
	{"rmdir of the root", RMDIR, S("."), .want = INVAL},
	{"rmdir of the root by dots", RMDIR, S("dir/.."), .want = NOTEMPTY},
	{"rmdir of a full folder", RMDIR, S("dir"), .want = NOTEMPTY},
	{"rmdir of a file", RMDIR, S("file"), .want = NOTDIR},
	{"mkdir of the root", MKDIR, S("."), .want = EXIST},
	{"mkdir of the root by dots", MKDIR, S("dir/.."), .want = EXIST},
	{"symlink over the root", SYMLINK, S("."), S("x"), EXIST},
};

static void removed_stays_removed(void) {
	expect("unlink", unlink("mask/file"), OK);
	expect("open", read_path("mask/file", ""), NOENT);
	expect("by its folder's link", read_path("mask/back/file", ""), NOENT);
	expect("stat", path_filestat_get(ROOT, FOLLOW, PTR("mask/file"), 9, PTR(buf)), NOENT);
	expect("unlink again", unlink("mask/file"), NOENT);
	expect("a folder in its place", make("mask/file"), OK);
	expect("rmdir", rmdir("mask/file"), OK);
	expect("is not there again", read_path("mask/file", ""), NOENT);
}

static void folder_made_again(void) {
	expect("empty it", unlink("mask/dir/file"), OK);
	expect("rmdir", rmdir("mask/dir"), OK);
	expect("make it again", make("mask/dir"), OK);
	expect("it is empty", read_path("mask/dir/file", ""), NOENT);
	expect("a link in place of a folder", rmdir("mask/dir"), OK);
	expect("symlink", symlink("../m/l-neardir", "mask/dir"), OK);
	expect("through it", read_path("mask/dir/secret", ""), NOENT);
}

static void removed_while_open(void) {
	u32 n, fd = must_open("mask/open", 0, R_READING);
	expect("unlink", unlink("mask/open"), OK);
	expect("read", read_fd(fd, buf, sizeof buf, &n), OK);
	if (n < 6 || !same(buf, "image:", 6)) fail("content", n, 6);
	expect("times", fd_filestat_set_times(fd, 1, 1, 5), ROFS);
	fd_close(fd);
}

static const struct action masks_actions[] = {
	{"removed stays removed", removed_stays_removed}, {"a folder made again", folder_made_again}, {"removed while open", removed_while_open},
};

const struct family masks = {"masks", ROWS(masks_rows), ACTIONS(masks_actions)};
