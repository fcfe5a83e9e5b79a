/*
 * extras.c DIR [MOUNTPOINT]: what an ext file system offers beside reading and writing, as root: where blocks lie, file
 * attributes in both interfaces, extended attributes as many and as large as there is room for, whiteouts, trimming, small
 * files and directories (inline data); with MOUNTPOINT also mount options.  Prints a line for each case; runs on Linux too.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/statfs.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

static int failed;
static long bs;				/* of the file system's blocks */

static void report(const char *name, int ok)
{
	printf(ok ? "ok extras/%s\n" : "not ok extras/%s: errno %d\n", name, errno);
	failed += !ok;
}

static int make(const char *name, size_t size)
{
	int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0644);
	char *data = malloc(size + 1);

	memset(data, 'd', size);
	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		report(name, 0);
	free(data);
	return fd;
}

/* The file holds this, through a descriptor of its own. */
static int holds(const char *name, const char *want, size_t size)
{
	static char buf[65536];
	int fd = open(name, O_RDONLY), same = read(fd, buf, sizeof(buf)) == (ssize_t)size && !memcmp(buf, want, size);

	close(fd);
	return same;
}

/* ---- where the blocks are ---- */

static struct {
	struct fiemap	head;
	struct fiemap_extent e[16];
} map;

static int ask_map(int fd, unsigned int flags)
{
	memset(&map, 0, sizeof(map));
	map.head.fm_length = ~0ull;
	map.head.fm_flags = flags;
	map.head.fm_extent_count = 16;
	return ioctl(fd, FS_IOC_FIEMAP, &map);
}

static void where(void)
{
	int fd = make("runs", 0), n = 0, first = 3;
	char *data = calloc(1, (size_t)bs * 4);
	unsigned int last;

	pwrite(fd, data, (size_t)bs * 4, 3 * bs);
	pwrite(fd, data, (size_t)bs, 900 * bs);
	report("fiemap", !ask_map(fd, FIEMAP_FLAG_SYNC) && map.head.fm_mapped_extents >= 2);
	last = map.head.fm_mapped_extents - 1;
	report("fiemap-places", map.e[0].fe_logical == 3 * (uint64_t)bs && map.e[last].fe_logical == 900 * (uint64_t)bs &&
	       map.e[last].fe_length == (uint64_t)bs && map.e[last].fe_flags & FIEMAP_EXTENT_LAST &&
	       !(map.e[0].fe_flags & FIEMAP_EXTENT_LAST));
	report("fibmap", !ioctl(fd, FIBMAP, &first) && (uint64_t)first * (uint64_t)bs == map.e[0].fe_physical && !ioctl(fd, FIBMAP, &n) && !n);
	report("fiemap-unknown-flag", ask_map(fd, 0x800) == -1 && errno == EBADR && map.head.fm_flags == 0x800);
	memset(&map, 0, sizeof(map));
	map.head.fm_length = ~0ull;
	report("fiemap-count", !ioctl(fd, FS_IOC_FIEMAP, &map) && map.head.fm_mapped_extents == last + 1);
	if (!fallocate(fd, FALLOC_FL_KEEP_SIZE, 1000 * bs, 8 * bs)) {
		report("fiemap-unwritten", !ask_map(fd, 0) && map.e[map.head.fm_mapped_extents - 1].fe_flags & FIEMAP_EXTENT_UNWRITTEN &&
		       map.e[map.head.fm_mapped_extents - 1].fe_logical >= 1000 * (uint64_t)bs);
	}
	free(data);
	close(fd);
}

/* ---- chattr, both ways ---- */

static void flags(void)
{
	int fd = make("flags", 10), flags = 0, version = 4711, got = 0;
	struct fsxattr x = { };

	report("fsgetxattr", !ioctl(fd, FS_IOC_FSGETXATTR, &x) && !(x.fsx_xflags & FS_XFLAG_APPEND));
	x.fsx_xflags |= FS_XFLAG_APPEND | FS_XFLAG_NODUMP;
	report("fssetxattr", !ioctl(fd, FS_IOC_FSSETXATTR, &x) && !ioctl(fd, FS_IOC_GETFLAGS, &flags) && flags & FS_APPEND_FL && flags & FS_NODUMP_FL);
	report("append-only", open("flags", O_WRONLY) == -1 && errno == EPERM && unlink("flags") == -1 && errno == EPERM);
	flags &= ~FS_APPEND_FL;
	report("setflags", !ioctl(fd, FS_IOC_SETFLAGS, &flags) && !ioctl(fd, FS_IOC_FSGETXATTR, &x) && x.fsx_xflags == FS_XFLAG_NODUMP);
	report("version", ioctl(fd, FS_IOC_SETVERSION, &version) ? errno == ENOTTY :
	       !ioctl(fd, FS_IOC_GETVERSION, &got) && got == version);	/* ENOTTY where there are checksums */
	close(fd);
	report("unlink", !unlink("flags"));
}

/* chattr +j and -j while the file is in use; bytes stay what they are, in the cache and on the disk. */
static void journalled(void)
{
	static char want[50000];
	int fd = open("journalled", O_RDWR | O_CREAT | O_TRUNC, 0644), flags = 0, ok = 1;
	char *p;

	for (size_t i = 0; i < sizeof(want); i++)
		want[i] = (char)('a' + i % 23);
	ok = pwrite(fd, want, 20000, 0) == 20000 && !ioctl(fd, FS_IOC_GETFLAGS, &flags);
	for (int round = 0; round < 4 && ok; round++) {
		size_t at = 3000 + (size_t)round * 9000;

		flags ^= FS_JOURNAL_DATA_FL;
		if (ioctl(fd, FS_IOC_SETFLAGS, &flags)) {
			printf("skip extras/journalled: there is no journal\n");
			break;
		}
		memset(want + at, 'A' + round, 7000);
		ok = pwrite(fd, want + at, 7000, (off_t)at) == 7000;
		if (round == 0)				/* all that lies before is known */
			ok = ok && pwrite(fd, want, sizeof(want), 0) == sizeof(want);
		ok = ok && !posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) && holds("journalled", want, sizeof(want));
		p = mmap(NULL, sizeof(want), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		memset(p + at + 100, 'M', 5000);
		memset(want + at + 100, 'M', 5000);
		munmap(p, sizeof(want));
		ok = ok && holds("journalled", want, sizeof(want)) && (round % 2 || !fsync(fd)) &&
		     !posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) && holds("journalled", want, sizeof(want));
	}
	report("journalled", ok && (holds("journalled", want, 20000) || (!ftruncate(fd, 12345) && holds("journalled", want, 12345))));
	close(fd);
}

/* ---- extended attributes ---- */

static int value_is(const char *path, const char *name, int c, size_t size)
{
	static char buf[65536];

	if (getxattr(path, name, buf, sizeof(buf)) != (ssize_t)size)
		return 0;
	for (size_t i = 0; i < size; i++)
		if (buf[i] != (char)c)
			return 0;
	return 1;
}

static int set(const char *path, const char *name, int c, size_t size)
{
	static char buf[65536];

	memset(buf, c, size);
	return setxattr(path, name, buf, size, 0);
}

static void attributes(void)
{
	static const char *const names[] = { "user.a", "trusted.a", "security.a" };
	char list[65536], name[300];
	int n = 0, ok = 1;

	close(make("attrs", 100));
	for (size_t i = 0; i < 3; i++)
		ok = ok && !set("attrs", names[i], 'a' + (int)i, 20 + i);
	for (size_t i = 0; i < 3; i++)
		ok = ok && value_is("attrs", names[i], 'a' + (int)i, 20 + i);
	report("xattr-kinds", ok && listxattr("attrs", list, sizeof(list)) == 7 + 10 + 11);
	report("xattr-large", !set("attrs", "user.large", 'L', (size_t)bs - 200) && value_is("attrs", "user.large", 'L', (size_t)bs - 200) &&
	       value_is("attrs", "trusted.a", 'b', 21));
	report("xattr-too-large", set("attrs", "user.larger", 'X', (size_t)bs) == -1 && (errno == ENOSPC || errno == E2BIG) &&
	       value_is("attrs", "user.large", 'L', (size_t)bs - 200));
	report("xattr-smaller", !set("attrs", "user.large", 'l', 10) && value_is("attrs", "user.large", 'l', 10));
	while (n < 1000 && !set("attrs", (sprintf(name, "user.number%d", n), name), 'n', 30))
		n++;
	report("xattr-full", n > 5 && n < 1000 && errno == ENOSPC);
	for (int i = 0; i < n; i++)
		ok = ok && value_is("attrs", (sprintf(name, "user.number%d", i), name), 'n', 30);
	report("xattr-all-there", ok && value_is("attrs", "security.a", 'c', 22));
	for (int i = 0; i < n; i += 2)
		ok = ok && !removexattr("attrs", (sprintf(name, "user.number%d", i), name));
	report("xattr-removed", ok && getxattr("attrs", "user.number0", list, 1) == -1 && errno == ENODATA && value_is("attrs", "user.number1", 'n', 30));
	report("xattr-flags", setxattr("attrs", "user.a", "x", 1, XATTR_CREATE) == -1 && errno == EEXIST &&
	       setxattr("attrs", "user.b", "x", 1, XATTR_REPLACE) == -1 && errno == ENODATA);
	memset(name, 'n', 256);
	memcpy(name, "user.", 5);
	name[256] = 0;
	report("xattr-long-name", setxattr("attrs", name, "x", 1, 0) == -1 && errno == ERANGE && (name[255] = 0, !setxattr("attrs", name, "x", 1, 0)) &&
	       getxattr("attrs", name, list, 1) == 1);
}

/* ---- names ---- */

static void whiteout(void)
{
	struct stat st;

	close(make("from", 50));
	report("rename-whiteout", !renameat2(AT_FDCWD, "from", AT_FDCWD, "to", RENAME_WHITEOUT) && !stat("to", &st) && st.st_size == 50 &&
	       !stat("from", &st) && S_ISCHR(st.st_mode) && st.st_rdev == 0);
	mkdir("sub", 0755);
	report("rename-whiteout-over", !close(make("over", 60)) && !renameat2(AT_FDCWD, "to", AT_FDCWD, "over", RENAME_WHITEOUT) &&
	       !stat("over", &st) && st.st_size == 50 && !stat("to", &st) && S_ISCHR(st.st_mode));
	report("rename-whiteout-dir", !renameat2(AT_FDCWD, "sub", AT_FDCWD, "sub2", RENAME_WHITEOUT) && !stat("sub2", &st) && S_ISDIR(st.st_mode) &&
	       !stat("sub", &st) && S_ISCHR(st.st_mode) && renameat2(AT_FDCWD, "sub", AT_FDCWD, "sub2", RENAME_WHITEOUT | RENAME_EXCHANGE) == -1);
}

static void trim(void)
{
	struct fstrim_range r = { 0, ~0ull, 0 };
	int fd = open(".", O_RDONLY), err = ioctl(fd, FITRIM, &r);

	if (err && errno == EOPNOTSUPP)
		printf("skip extras/trim: the disk cannot\n");
	else
		report("trim", !err && r.len > 0 && !(r.len % (unsigned long)bs));
	r = (struct fstrim_range){ 0, 1, 0 };
	report("trim-nothing", ioctl(fd, FITRIM, &r) == -1 && (errno == EINVAL || errno == EOPNOTSUPP));
	close(fd);
}

/* ---- small files and directories, which may lie in their inodes ---- */

static unsigned int seed = 12345;

static unsigned int rnd(unsigned int n)
{
	seed = seed * 1103515245 + 12345;
	return (seed >> 16) % n;
}

/* Grows by a few bytes a time, far beyond what an inode holds; its pages leave the cache now and then. */
static void grow(void)
{
	char want[6000];
	size_t size = 0;
	int fd = open("grow", O_RDWR | O_CREAT | O_TRUNC, 0644), ok = fd >= 0;

	while (ok && size < 5000) {
		size_t n = 1 + rnd(size < 300 ? 12 : 400);

		for (size_t i = 0; i < n; i++)
			want[size + i] = (char)('a' + rnd(26));
		ok = write(fd, want + size, n) == (ssize_t)n;
		size += n;
		if (rnd(3) == 0)
			ok = ok && !fsync(fd) && !posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
		ok = ok && holds("grow", want, size);
	}
	report("small-grow", ok);
	close(fd);
}

/* Each size below a block: made in one write, changed in the middle, shortened, lengthened, mapped. */
static void sizes(void)
{
	char want[1024];
	int ok = 1;

	for (size_t size = 0; size <= 400 && ok; size += size < 200 ? 7 : 50) {
		int fd = open("size", O_RDWR | O_CREAT | O_TRUNC, 0644);
		size_t cut = size / 2;

		memset(want, 0, sizeof(want));
		memset(want, 's', size);
		ok = write(fd, want, size) == (ssize_t)size && holds("size", want, size);
		if (cut) {
			ok = ok && pwrite(fd, "XY", 2, (off_t)cut) == 2;
			memcpy(want + cut, "XY", 2);
			if (cut + 2 > size)
				size = cut + 2;
			ok = ok && holds("size", want, size) && !ftruncate(fd, (off_t)cut) && holds("size", want, cut);
			memset(want + cut, 0, sizeof(want) - cut);
			ok = ok && !ftruncate(fd, (off_t)cut + 90) && holds("size", want, cut + 90);
			ok = ok && pwrite(fd, "end", 3, (off_t)cut + 120) == 3;
			memcpy(want + cut + 120, "end", 3);
			ok = ok && holds("size", want, cut + 123);
			if (!ask_map(fd, 0) && map.head.fm_mapped_extents)
				ok = ok && map.head.fm_mapped_extents == 1 && map.e[0].fe_flags & FIEMAP_EXTENT_LAST;
			if (size % 2) {
				char *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

				p[1] = want[1] = 'M';
				munmap(p, 4096);
			} else {
				ok = ok && (!fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 1, 3) || errno == EOPNOTSUPP);
				if (ok)
					memset(want + 1, 0, 3);
				ok = ok && lseek(fd, 0, SEEK_HOLE) <= (off_t)cut + 123 && lseek(fd, 0, SEEK_DATA) == 0;
			}
			ok = ok && !fsync(fd) && !posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) && holds("size", want, cut + 123);
		}
		close(fd);
		if (!ok)
			printf("size %zu\n", size);
	}
	report("small-sizes", ok);
}

/* Attributes and data share what room there is. */
static void share_room(void)
{
	char want[300], name[32];
	int fd = open("shared", O_RDWR | O_CREAT | O_TRUNC, 0644), ok = 1;

	memset(want, 'w', sizeof(want));
	ok = write(fd, want, 40) == 40;
	for (int i = 0; i < 8; i++)
		ok = ok && !set("shared", (sprintf(name, "user.n%d", i), name), 'v', 12) &&
		     pwrite(fd, want, 20, 40 + i * 20) == 20 && holds("shared", want, 60 + (size_t)i * 20);
	for (int i = 0; i < 8; i++)
		ok = ok && value_is("shared", (sprintf(name, "user.n%d", i), name), 'v', 12);
	report("small-shared-room", ok && listxattr("shared", name, 0) == 8 * 8);
	close(fd);
}

#define NAMES 24

/* Names come, go and move between two directories; what is there is known. */
static void names(void)
{
	static unsigned char there[2][NAMES];
	char a[64], b[64];
	int ok = !mkdir("names0", 0755) && !mkdir("names1", 0755) && !mkdir("names0/sub", 0755);

	for (int i = 0; i < 600 && ok; i++) {
		unsigned int d = rnd(2), n = rnd(i < 300 ? 4 : NAMES), e = rnd(2), m = rnd(i < 300 ? 4 : NAMES);

		sprintf(a, "names%u/%.*sn%u", d, (int)(n % 7), "longer_name", n);
		sprintf(b, "names%u/%.*sn%u", e, (int)(m % 7), "longer_name", m);
		if (!there[d][n]) {
			ok = close(open(a, O_WRONLY | O_CREAT | O_EXCL, 0644)) == 0;
			there[d][n] = 1;
		} else if (rnd(2)) {
			ok = !unlink(a);
			there[d][n] = 0;
		} else {
			ok = !rename(a, b);
			if (d != e || n != m) {
				there[d][n] = 0;
				there[e][m] = 1;
			}
		}
		ok = ok && !rename(i % 2 ? "names1/sub" : "names0/sub", i % 2 ? "names0/sub" : "names1/sub");
		for (unsigned int k = 0; k < 2 * NAMES && ok && i % 20 == 0; k++) {
			sprintf(a, "names%u/%.*sn%u", k % 2, (int)(k / 2 % 7), "longer_name", k / 2);
			ok = (access(a, F_OK) == 0) == there[k % 2][k / 2];
		}
	}
	for (int d = 0; d < 2 && ok; d++) {
		DIR *dir = opendir(d ? "names1" : "names0");
		int n = 0, want = 2 + (d == 0);			/* ., .. and, in the end, sub */

		for (int k = 0; k < NAMES; k++)
			want += there[d][k];
		while (readdir(dir))
			n++;
		closedir(dir);
		ok = n == want;
	}
	report("small-names", ok && rmdir("names0") == -1 && errno == ENOTEMPTY && !rmdir("names0/sub"));
}

/* A directory that grows while it is being read: nothing that was there before is missed or seen twice. */
static void read_while_growing(void)
{
	char name[64];
	int seen[3] = { }, n = 0;
	struct dirent *de;
	DIR *dir;

	mkdir("growing", 0755);
	for (int i = 0; i < 3; i++)
		close(open((sprintf(name, "growing/old%d", i), name), O_CREAT | O_WRONLY, 0644));
	dir = opendir("growing");
	while ((de = readdir(dir))) {
		if (!strncmp(de->d_name, "old", 3))
			seen[de->d_name[3] - '0']++;
		if (n < 40)
			close(open((sprintf(name, "growing/a_new_name_%d", n++), name), O_CREAT | O_WRONLY, 0644));
		if (n == 2)
			seekdir(dir, telldir(dir));
	}
	closedir(dir);
	report("small-dir-grows", seen[0] == 1 && seen[1] == 1 && seen[2] == 1);
}

/* ---- signals ---- */

static void ignore(int sig)
{
	(void)sig;
}

/* A file on a disk is given its room in one go, however many signals come meanwhile. */
static void signals(void)
{
	struct itimerval often = { { 0, 500 }, { 0, 500 } }, never = { 0 };
	struct sigaction sa = { .sa_handler = ignore };
	int fd = make("signals", 0), whole = 1;

	sigaction(SIGALRM, &sa, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
	for (int i = 0; i < 100 && whole; i++)
		whole = (!fallocate(fd, 0, 0, 24 << 20) || errno == EOPNOTSUPP) && !ftruncate(fd, 0);
	setitimer(ITIMER_REAL, &never, NULL);
	report("signals", whole);
	close(fd);
}

/* ---- truncating what is being written back ---- */

static void truncate_written(void)
{
	enum { LONG = 32 * 4096, SHORT = 100 };
	int fd = make("truncated", 0), whole = 1;
	char *p = mmap(NULL, LONG, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	pid_t writer = fork();
	struct stat st;

	while (!writer)
		sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE);
	for (int i = 0; i < 30 && whole; i++) {
		whole = !ftruncate(fd, LONG);
		for (int at = 0; at < LONG; at += 4096)
			p[at] = 'x';
		usleep((unsigned int)i % 50 * 10);
		whole = whole && !ftruncate(fd, SHORT) && pwrite(fd, "y", 1, 0) == 1 && !fstat(fd, &st) && st.st_size == SHORT;
	}
	kill(writer, SIGKILL);
	waitpid(writer, NULL, 0);
	report("truncate-written", whole);
	munmap(p, LONG);
	close(fd);
}

/* ---- mount options ---- */

/* Does reading change the access time, which lies in the past? */
static int read_changes(const char *path, time_t atime, time_t mtime)
{
	struct timespec t[2] = { { atime, 0 }, { mtime, 0 } };
	struct stat st;
	char c;
	int fd;

	utimensat(AT_FDCWD, path, t, 0);
	fd = open(path, O_RDONLY);
	if (read(fd, &c, 1) != 1)
		report("read", 0);
	close(fd);
	return !stat(path, &st) && st.st_atime != atime;
}

static void options(const char *mnt)
{
	static const uint8_t acl[] = { 2, 0, 0, 0, 1, 0, 6, 0, 255, 255, 255, 255, 2, 0, 4, 0, 77, 0, 0, 0, 4, 0, 4, 0, 255, 255, 255, 255,
				       16, 0, 6, 0, 255, 255, 255, 255, 32, 0, 4, 0, 255, 255, 255, 255 };
	const char *name = "system.posix_acl_access";
	time_t now = time(NULL);

	close(make("times", 10));
	report("noatime", !mount(NULL, mnt, NULL, MS_REMOUNT | MS_NOATIME, "") && !read_changes("times", now - 500000, now - 1000));
	/* Setting times sets the time of the last change, too: an older access time moves.  A newer one, within a day, does not. */
	report("relatime", !mount(NULL, mnt, NULL, MS_REMOUNT | MS_RELATIME, "") && read_changes("times", now - 500000, now - 1000) &&
	       !read_changes("times", now + 1000, now - 1000));
	report("strictatime", !mount(NULL, mnt, NULL, MS_REMOUNT | MS_STRICTATIME, "") && read_changes("times", now + 1000, now - 1000));
	report("lazytime", !mount(NULL, mnt, NULL, MS_REMOUNT | MS_LAZYTIME, "") && read_changes("times", now - 500000, now - 1000));
	report("acl", !mount(NULL, mnt, NULL, MS_REMOUNT | MS_RELATIME, "acl") && !setxattr("times", name, acl, sizeof(acl), 0));
	report("noacl", !mount(NULL, mnt, NULL, MS_REMOUNT | MS_RELATIME, "noacl") && setxattr("times", name, acl, sizeof(acl), 0) == -1 &&
	       errno == EOPNOTSUPP);
	report("acl-again", !mount(NULL, mnt, NULL, MS_REMOUNT | MS_RELATIME, "acl") && !setxattr("times", name, acl, sizeof(acl), 0));
}

int main(int argc, char **argv)
{
	struct statfs st;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc < 2 || chdir(argv[1]) || statfs(".", &st))
		return 2;
	bs = st.f_bsize;
	where();
	flags();
	journalled();
	attributes();
	whiteout();
	trim();
	grow();
	sizes();
	share_room();
	names();
	read_while_growing();
	signals();
	truncate_written();
	if (argc > 2)
		options(argv[2]);
	return failed != 0;
}
