// A library that leaves a mark wherever it is loaded.
#include <string.h>
#include <unistd.h>

__attribute__((constructor)) static void mark(void) {
	const char *text = "EVIL: a library of the image was loaded\n";
	if (write(2, text, strlen(text)) >= 0) _exit(66);
	_exit(67);
}
