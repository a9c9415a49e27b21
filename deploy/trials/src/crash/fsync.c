/* Loaded before a program (LD_PRELOAD), makes fsync and fdatasync fail with EIO for as long as the file named by
 * FAULT_SWITCH exists. Each failure adds a byte to that file, so that whoever made it sees that it struck. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static int fails(void)
{
	const char *file = getenv("FAULT_SWITCH");
	int before = errno;
	int fd = file ? open(file, O_WRONLY | O_APPEND | O_CLOEXEC) : -1;
	if (fd < 0) {
		errno = before;
		return 0;
	}
	ssize_t written = write(fd, "x", 1);
	(void)written;
	close(fd);
	errno = EIO;
	return 1;
}

int fsync(int fd)
{
	static int (*real)(int);
	if (!real)
		real = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
	return fails() ? -1 : real(fd);
}

int fdatasync(int fd)
{
	static int (*real)(int);
	if (!real)
		real = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
	return fails() ? -1 : real(fd);
}
