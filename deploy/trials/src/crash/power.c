/* Loaded before a program (LD_PRELOAD), writes down how to take back what it has written to databases and not synced: for
 * each file of POWER_DATA whose name ends in .db or -wal, POWER_UNDO holds a file named by its inode with a record for each
 * write since the last sync that succeeded: offset, length of what stood there, length of the file, and what stood there.
 * Numbers are 64 bits in the machine's order. Once the program is killed, the records in reverse order give what a power
 * cut may leave of the file. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define REAL(name, type) \
	static type real_##name; \
	if (!real_##name) \
		real_##name = (type)dlsym(RTLD_NEXT, #name)

typedef ssize_t (*write_fn)(int, const void *, size_t);
typedef ssize_t (*pwrite_fn)(int, const void *, size_t, off_t);
typedef int (*truncate_fn)(int, off_t);
typedef int (*sync_fn)(int);

/* A write and its record are one step, and no sync comes between them. */
static pthread_mutex_t step = PTHREAD_MUTEX_INITIALIZER;

static int ends(const char *text, const char *with)
{
	size_t have = strlen(text), want = strlen(with);
	return have >= want && strcmp(text + have - want, with) == 0;
}

/* The path of the records, or 0 if the file is none of ours. The file itself is never opened again: closing it would take
 * away the locks that this process holds on it. */
static int records_of(int fd, struct stat *file, char *path, size_t room)
{
	const char *data = getenv("POWER_DATA"), *undo = getenv("POWER_UNDO");
	char link[64], name[4096];
	if (!data || !undo || fstat(fd, file) != 0 || !S_ISREG(file->st_mode))
		return 0;
	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	ssize_t length = readlink(link, name, sizeof name - 1);
	if (length < 0)
		return 0;
	name[length] = 0;
	if (strncmp(name, data, strlen(data)) != 0 || !(ends(name, ".db") || ends(name, "-wal")))
		return 0;
	snprintf(path, room, "%s/%llu", undo, (unsigned long long)file->st_ino);
	return 1;
}

static void note(int fd, off_t at, size_t length)
{
	struct stat file;
	char path[4096];
	REAL(write, write_fn);
	if (!records_of(fd, &file, path, sizeof path))
		return;
	size_t stood = at >= file.st_size ? 0 : (size_t)(file.st_size - at);
	if (stood > length)
		stood = length;
	uint64_t head[3] = { (uint64_t)at, stood, (uint64_t)file.st_size };
	char *record = malloc(sizeof head + stood);
	if (!record)
		abort();
	memcpy(record, head, sizeof head);
	if (stood && pread(fd, record + sizeof head, stood, at) != (ssize_t)stood)
		abort();
	int to = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	if (to < 0 || real_write(to, record, sizeof head + stood) != (ssize_t)(sizeof head + stood))
		abort();
	close(to);
	free(record);
}

ssize_t write(int fd, const void *bytes, size_t length)
{
	REAL(write, write_fn);
	off_t at = lseek(fd, 0, SEEK_CUR);
	if (at < 0)
		return real_write(fd, bytes, length);
	pthread_mutex_lock(&step);
	note(fd, at, length);
	ssize_t done = real_write(fd, bytes, length);
	pthread_mutex_unlock(&step);
	return done;
}

static ssize_t positioned(pwrite_fn real, int fd, const void *bytes, size_t length, off_t at)
{
	pthread_mutex_lock(&step);
	note(fd, at, length);
	ssize_t done = real(fd, bytes, length, at);
	pthread_mutex_unlock(&step);
	return done;
}

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t at)
{
	REAL(pwrite, pwrite_fn);
	return positioned(real_pwrite, fd, bytes, length, at);
}

ssize_t pwrite64(int fd, const void *bytes, size_t length, off_t at)
{
	REAL(pwrite64, pwrite_fn);
	return positioned(real_pwrite64, fd, bytes, length, at);
}

static int shortened(truncate_fn real, int fd, off_t length)
{
	struct stat file;
	pthread_mutex_lock(&step);
	if (fstat(fd, &file) == 0 && length < file.st_size)
		note(fd, length, (size_t)(file.st_size - length));
	else
		note(fd, length, 0);
	int done = real(fd, length);
	pthread_mutex_unlock(&step);
	return done;
}

int ftruncate(int fd, off_t length)
{
	REAL(ftruncate, truncate_fn);
	return shortened(real_ftruncate, fd, length);
}

int ftruncate64(int fd, off_t length)
{
	REAL(ftruncate64, truncate_fn);
	return shortened(real_ftruncate64, fd, length);
}

/* A disk that takes its time: without that hardly any write would be waiting when the power is cut. */
enum { SYNC_MICROS = 10000 };

static int synced(sync_fn real, int fd)
{
	struct stat file;
	char path[4096];
	int ours = records_of(fd, &file, path, sizeof path);
	if (ours)
		usleep(SYNC_MICROS);
	pthread_mutex_lock(&step);
	int done = real(fd);
	if (done == 0 && ours)
		unlink(path);
	pthread_mutex_unlock(&step);
	return done;
}

int fsync(int fd)
{
	REAL(fsync, sync_fn);
	return synced(real_fsync, fd);
}

int fdatasync(int fd)
{
	REAL(fdatasync, sync_fn);
	return synced(real_fdatasync, fd);
}
