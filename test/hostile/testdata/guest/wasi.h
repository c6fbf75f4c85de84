// The calls of wasi_snapshot_preview1 as they are, without a C library between:
// nothing tidies a path, a pointer or a length before the host sees it.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint32_t u32;
typedef uint64_t u64;
typedef uint8_t byte;

#define IMPORT(name) __attribute__((import_module("wasi_snapshot_preview1"), import_name(#name))) int name
#define PTR(p) ((u32)(uintptr_t)(p))

IMPORT(args_get)(u32 argv, u32 buf);
IMPORT(args_sizes_get)(u32 argc, u32 size);
IMPORT(environ_get)(u32 env, u32 buf);
IMPORT(environ_sizes_get)(u32 count, u32 size);
IMPORT(clock_res_get)(u32 id, u32 out);
IMPORT(clock_time_get)(u32 id, u64 precision, u32 out);
IMPORT(random_get)(u32 buf, u32 len);
IMPORT(sched_yield)(void);
IMPORT(poll_oneoff)(u32 in, u32 out, u32 n, u32 stored);
IMPORT(fd_advise)(u32 fd, u64 offset, u64 len, u32 advice);
IMPORT(fd_allocate)(u32 fd, u64 offset, u64 len);
IMPORT(fd_close)(u32 fd);
IMPORT(fd_datasync)(u32 fd);
IMPORT(fd_fdstat_get)(u32 fd, u32 out);
IMPORT(fd_fdstat_set_flags)(u32 fd, u32 flags);
IMPORT(fd_fdstat_set_rights)(u32 fd, u64 base, u64 inheriting);
IMPORT(fd_filestat_get)(u32 fd, u32 out);
IMPORT(fd_filestat_set_size)(u32 fd, u64 size);
IMPORT(fd_filestat_set_times)(u32 fd, u64 atim, u64 mtim, u32 flags);
IMPORT(fd_pread)(u32 fd, u32 iovs, u32 n, u64 offset, u32 out);
IMPORT(fd_prestat_get)(u32 fd, u32 out);
IMPORT(fd_prestat_dir_name)(u32 fd, u32 path, u32 len);
IMPORT(fd_pwrite)(u32 fd, u32 iovs, u32 n, u64 offset, u32 out);
IMPORT(fd_read)(u32 fd, u32 iovs, u32 n, u32 out);
IMPORT(fd_readdir)(u32 fd, u32 buf, u32 len, u64 cookie, u32 out);
IMPORT(fd_renumber)(u32 from, u32 to);
IMPORT(fd_seek)(u32 fd, u64 offset, u32 whence, u32 out);
IMPORT(fd_sync)(u32 fd);
IMPORT(fd_tell)(u32 fd, u32 out);
IMPORT(fd_write)(u32 fd, u32 iovs, u32 n, u32 out);
IMPORT(path_create_directory)(u32 fd, u32 path, u32 len);
IMPORT(path_filestat_get)(u32 fd, u32 lookup, u32 path, u32 len, u32 out);
IMPORT(path_filestat_set_times)(u32 fd, u32 lookup, u32 path, u32 len, u64 atim, u64 mtim, u32 flags);
IMPORT(path_link)(u32 oldfd, u32 lookup, u32 old, u32 oldlen, u32 newfd, u32 new, u32 newlen);
IMPORT(path_open)(u32 fd, u32 lookup, u32 path, u32 len, u32 oflags, u64 base, u64 inheriting, u32 flags, u32 out);
IMPORT(path_readlink)(u32 fd, u32 path, u32 len, u32 buf, u32 size, u32 out);
IMPORT(path_remove_directory)(u32 fd, u32 path, u32 len);
IMPORT(path_rename)(u32 fd, u32 old, u32 oldlen, u32 newfd, u32 new, u32 newlen);
IMPORT(path_symlink)(u32 body, u32 bodylen, u32 fd, u32 path, u32 len);
IMPORT(path_unlink_file)(u32 fd, u32 path, u32 len);

#ifndef NO_SOCKETS
IMPORT(sock_accept)(u32 fd, u32 flags, u32 out);
IMPORT(sock_bind)(u32 fd, u32 address, u32 port);
IMPORT(sock_connect)(u32 fd, u32 address, u32 port);
IMPORT(sock_getaddrinfo)(u32 node, u32 nodelen, u32 service, u32 servicelen, u32 hints, u32 out, u32 max, u32 count);
IMPORT(sock_listen)(u32 fd, u32 backlog);
IMPORT(sock_open)(u32 family, u32 type, u32 out);
IMPORT(sock_recv)(u32 fd, u32 iovs, u32 n, u32 flags, u32 size, u32 oflags);
IMPORT(sock_send)(u32 fd, u32 iovs, u32 n, u32 flags, u32 size);
IMPORT(sock_send_to)(u32 fd, u32 iovs, u32 n, u32 address, u32 port, u32 flags, u32 size);
IMPORT(sock_shutdown)(u32 fd, u32 how);
#endif

// Error numbers (typenames.witx, errno).
enum {
	OK, E2BIG, ACCES, ADDRINUSE, ADDRNOTAVAIL, AFNOSUPPORT, AGAIN, ALREADY, BADF, BADMSG,
	BUSY, CANCELED, CHILD, CONNABORTED, CONNREFUSED, CONNRESET, DEADLK, DESTADDRREQ, DOM, DQUOT,
	EXIST, FAULT, FBIG, HOSTUNREACH, IDRM, ILSEQ, INPROGRESS, INTR, INVAL, IO,
	ISCONN, ISDIR, LOOP, MFILE, MLINK, MSGSIZE, MULTIHOP, NAMETOOLONG, NETDOWN, NETRESET,
	NETUNREACH, NFILE, NOBUFS, NODEV, NOENT, NOEXEC, NOLCK, NOLINK, NOMEM, NOMSG,
	NOPROTOOPT, NOSPC, NOSYS, NOTCONN, NOTDIR, NOTEMPTY, NOTRECOVERABLE, NOTSOCK, NOTSUP, NOTTY,
	NXIO, OVERFLOW_, OWNERDEAD, PERM, PIPE, PROTO, PROTONOSUPPORT, PROTOTYPE, RANGE, ROFS,
	SPIPE, SRCH, STALE, TIMEDOUT, TXTBSY, XDEV, NOTCAPABLE,
};

enum { FOLLOW = 1 };                                            // lookupflags
enum { CREAT = 1, DIRECTORY = 2, EXCL = 4, TRUNC = 8 };         // oflags
enum { APPEND = 1, DSYNC = 2, NONBLOCK = 4, RSYNC = 8, SYNC = 16 }; // fdflags
enum { T_DIR = 3, T_FILE = 4, T_LINK = 7 };                     // filetype

// Rights (typenames.witx, rights).
#define R_FD_READ (1ull << 1)
#define R_FD_SEEK (1ull << 2)
#define R_FD_TELL (1ull << 5)
#define R_FD_WRITE (1ull << 6)
#define R_ALLOCATE (1ull << 8)
#define R_MKDIR (1ull << 9)
#define R_CREATE (1ull << 10)
#define R_PATH_OPEN (1ull << 13)
#define R_READDIR (1ull << 14)
#define R_PATH_STAT (1ull << 18)
#define R_SET_SIZE (1ull << 22)
#define R_UNLINK (1ull << 26)
#define R_READING (R_FD_READ | R_FD_SEEK | R_FD_TELL | R_READDIR)
#define R_WRITING (R_READING | R_FD_WRITE | R_ALLOCATE | R_SET_SIZE)
#define R_ALL ((1ull << 30) - 1)

struct iovec { u32 base, len; };

void *memset(void *b, int c, size_t n);
void *memcpy(void *to, const void *from, size_t n);
