/*
 * crashwork.c: what runs when the power is cut.  crashwork DIR MARKDEV SECONDS SEED [data=journal]
 *
 * Kinds of files, each with rules that hold at any moment:
 *      aN      records are appended and fsync'ed: those that were acknowledged are whole
 *      rN      a new version is written beside it, fsync'ed, and renamed over it: always one whole version, at least the
 *              acknowledged one
 *      uN      created and removed, with fsync of the directory: there or not, as acknowledged
 *      oN      with data=journal only: records are appended, and then another file is fsync'ed: what was written before is
 *              there, too
 *      junk/   made, written, truncated and removed without fsync, to keep the journal busy
 * Each acknowledgement is written, synchronously, to the raw device MARKDEV: the recorder of both disks (blkrec.py) sees it
 * in the order in which it came, and crashcheck.py knows what has to be there after a cut at any place.
 * A mark is one sector of text: "MARK number kind file value\n".
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define FILES 4

static int dir_fd, mark_fd;
static unsigned int marks, seq[4][FILES];
static uint64_t state;

static uint32_t rnd(uint32_t n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)(state >> 11) % n;
}

static void die(const char *what)
{
	printf("crashwork: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void mark(char kind, int file, unsigned int value)
{
	char sector[512] __attribute__((aligned(512))) = "";

	snprintf(sector, sizeof(sector), "MARK %u %c %d %u\n", marks, kind, file, value);
	if (pwrite(mark_fd, sector, sizeof(sector), (off_t)(marks++ % 1024) * 512) != sizeof(sector) || fdatasync(mark_fd))
		die("mark");
}

/* "kind file value length\n" and length bytes that follow from value. */
static size_t record(char *buf, char kind, int file, unsigned int value)
{
	size_t len = 16 + (value * 2654435761u >> 7) % 9000;
	int n = sprintf(buf, "%c %d %u %zu\n", kind, file, value, len);

	for (size_t i = 0; i < len; i++)
		buf[n + i] = (char)('a' + (value + i) % 26);
	return (size_t)n + len;
}

static void append(int file)
{
	static char buf[16384];
	char name[16];
	size_t len = record(buf, 'a', file, seq[0][file]);
	int fd;

	sprintf(name, "a%d", file);
	fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_APPEND, 0644);
	if (fd < 0 || write(fd, buf, len) != (ssize_t)len || fsync(fd))
		die(name);
	if (!seq[0][file] && fsync(dir_fd))
		die("fsync of the directory");
	close(fd);
	mark('a', file, ++seq[0][file]);
}

static void replace(int file)
{
	static char buf[16384];
	char name[16], tmp[16];
	size_t len = record(buf, 'r', file, ++seq[1][file]);
	int fd;

	sprintf(name, "r%d", file);
	sprintf(tmp, "r%d.tmp", file);
	fd = openat(dir_fd, tmp, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	if (fd < 0 || write(fd, buf, len) != (ssize_t)len || fsync(fd))
		die(tmp);
	close(fd);
	if (renameat(dir_fd, tmp, dir_fd, name))
		die("rename");
	if (rnd(2)) {
		if (fsync(dir_fd))
			die("fsync of the directory");
		mark('r', file, seq[1][file]);
	}
}

static void toggle(int file)
{
	char name[16];
	int fd;

	sprintf(name, "u%d", file);
	if (seq[2][file] & 1) {
		mark('m', file, 0);		/* from here on it may be gone */
		if (unlinkat(dir_fd, name, 0))
			die(name);
	} else {
		mark('m', file, 0);
		fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL, 0644);
		if (fd < 0)
			die(name);
		close(fd);
	}
	if (fsync(dir_fd))
		die("fsync of the directory");
	seq[2][file]++;
	mark('u', file, seq[2][file] & 1);
}

static void in_order(int file)
{
	static char buf[16384];
	char name[16];
	size_t len = record(buf, 'o', file, seq[3][file]);
	int fd, other;

	sprintf(name, "o%d", file);
	fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_APPEND, 0644);
	if (fd < 0 || write(fd, buf, len) != (ssize_t)len)
		die(name);
	close(fd);
	other = openat(dir_fd, "order", O_WRONLY | O_CREAT | O_APPEND, 0644);
	if (other < 0 || write(other, "x", 1) != 1 || fsync(other))
		die("order");
	close(other);
	mark('o', file, ++seq[3][file]);
}

static void junk(void)
{
	static char buf[60000];
	char name[64];
	int fd;

	sprintf(name, "junk/some_longer_name_%u", rnd(300));
	switch (rnd(4)) {
	case 0:
		unlinkat(dir_fd, name, 0);
		break;
	case 1:
		fd = openat(dir_fd, name, O_WRONLY);
		if (fd >= 0 && ftruncate(fd, rnd(100000)))
			die(name);
		if (fd >= 0)
			close(fd);
		break;
	default:
		fd = openat(dir_fd, name, O_WRONLY | O_CREAT, 0644);
		if (fd < 0 || pwrite(fd, buf, rnd(sizeof(buf)), rnd(100000)) < 0)
			die(name);
		close(fd);
	}
}

int main(int argc, char **argv)
{
	int journal = argc > 5 && strstr(argv[5], "data=journal");
	time_t end;

	if (argc < 5)
		return 2;
	dir_fd = open(argv[1], O_RDONLY | O_DIRECTORY);
	mark_fd = open(argv[2], O_RDWR);
	if (dir_fd < 0 || mark_fd < 0)
		die("open");
	if (mkdirat(dir_fd, "junk", 0755) && errno != EEXIST)
		die("junk");
	state = strtoul(argv[4], NULL, 0) * 0x9e3779b97f4a7c15ull + 1;
	end = time(NULL) + atoi(argv[3]);
	while (time(NULL) < end)
		switch (rnd(8)) {
		case 0:
			append((int)rnd(FILES));
			break;
		case 1:
			replace((int)rnd(FILES));
			break;
		case 2:
			toggle((int)rnd(FILES));
			break;
		case 3:
			if (journal)
				in_order((int)rnd(FILES));
			break;
		default:
			junk();
		}
	printf("crashwork: %u marks\n", marks);
	return 0;
}
