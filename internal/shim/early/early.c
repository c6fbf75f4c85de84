//go:build linux

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "early.h"

int wherry_early_report = -1;
int wherry_early_standby = 0;
int wherry_early_control = -1;

enum { CONTROL = 3 }; // as internal/sandbox has it

// Waits for the child's word that it serves, or for its end, and ends likewise.
static void follow(int report, pid_t child)
{
	unsigned char code;
	ssize_t n;
	int status;

	do
		n = read(report, &code, 1);
	while (n < 0 && errno == EINTR);
	if (n == 1)
		_exit(code);
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			_exit(1);
	_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
}

// Makes this process the container process: in its own session, without new
// privileges, gone when the shim is, with nothing open but the control socket
// and nothing in its environment that the daemon was given.
static void become(char *name, char *id, int control, pid_t shim)
{
	char *args[] = {name, "guest", id, NULL}, *env[] = {"GOMAXPROCS=2", NULL};
	struct rlimit stack;
	int null;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0)
		return;
	if (getppid() != shim || setsid() < 0 || chdir("/") != 0)
		return;
	if (getrlimit(RLIMIT_STACK, &stack) == 0) {
		stack.rlim_cur = stack.rlim_max < WHERRY_STACK_BYTES ? stack.rlim_max : WHERRY_STACK_BYTES;
		(void)setrlimit(RLIMIT_STACK, &stack);
	}
	if ((null = open("/dev/null", O_RDWR)) < 0)
		return;
	for (int fd = 0; fd <= 2; fd++)
		if (dup2(null, fd) != fd)
			return;
	if (control == CONTROL ? fcntl(CONTROL, F_SETFD, 0) != 0 : dup2(control, CONTROL) != CONTROL)
		return;
#ifdef SYS_close_range
	// What is open is ours and closes by itself; this is for what whoever
	// started us forgot. Kernels before 5.9 do not have it.
	(void)syscall(SYS_close_range, CONTROL + 1, ~0U, 0);
#endif
	execve("/proc/self/exe", args, env);
}

// Starts the container process. Where that fails the shim makes one later, and
// tells what is wrong.
static void prepare(char *name, char *id)
{
	pid_t shim = getpid(), child;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
		return;
	child = fork();
	if (child == 0) {
		become(name, id, pair[1], shim);
		_exit(127);
	}
	close(pair[1]);
	if (child < 0) {
		close(pair[0]);
		return;
	}
	wherry_early_standby = child;
	wherry_early_control = pair[0];
}

// glibc gives constructors the arguments of main.
__attribute__((constructor)) static void split(int argc, char **argv)
{
	char *id = NULL;
	int report[2];
	pid_t child;

	if (argc < 2 || strcmp(argv[argc - 1], "start") != 0)
		return;
	for (int i = 1; i + 1 < argc - 1; i++)
		if (strcmp(argv[i], "-id") == 0 || strcmp(argv[i], "--id") == 0)
			id = argv[i + 1];
	if (id == NULL || pipe2(report, O_CLOEXEC) != 0)
		return;
	child = fork();
	if (child != 0)
		close(report[1]);
	if (child > 0)
		follow(report[0], child);
	close(report[0]);
	if (child < 0)
		return;
	(void)setsid();
	wherry_early_report = report[1];
	prepare(argv[0], id);
}
