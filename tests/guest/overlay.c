/* overlay.c: overlayfs (spec §10; overlayfs in Linux's documentation): layers, copying up, whiteouts, directories that merge. */
#include "t.h"
#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/xattr.h>

/* ---- a tmpfs with l1, l2 (lower), u, w, m ---- */

static void layers(void)
{
	static char base[64];

	if (getuid())
		SKIP("not root");
	if (unshare(CLONE_NEWNS))
		SKIP("may not unshare here: %s", strerror(errno));
	CHECK_OK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	sprintf(base, "/tmp/ovl%d", getpid());
	CHECK_OK(mkdir(base, 0700));
	CHECK_OK(mount("none", base, "tmpfs", 0, NULL));
	CHECK_OK(chdir(base));
	umask(0);
	for (const char *const *d = (const char *const[]){ "l1", "l2", "u", "w", "m", NULL }; *d; d++)
		CHECK_OK(mkdir(*d, 0755));
}

static void overlay(const char *options)
{
	if (mount("overlay", "m", "overlay", 0, options)) {
		if (errno == ENODEV)
			SKIP("this kernel has no overlayfs");
		FAIL("mount -o %s: %s", options, strerror(errno));
	}
}

static void overlay_usual(void)
{
	overlay("lowerdir=l1,upperdir=u,workdir=w");
}

static void put(const char *name, const char *text)
{
	int fd = CHECK_OK(open(name, O_CREAT | O_TRUNC | O_WRONLY, 0644));

	CHECK_EQ(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static const char *get(const char *name)
{
	static char text[2][4000];
	static int turn;
	int fd = open(name, O_RDONLY);

	if (fd < 0)
		return strerror(errno);
	turn = !turn;
	ssize_t n = read(fd, text[turn], sizeof(text[turn]) - 1);
	close(fd);
	text[turn][n < 0 ? 0 : n] = 0;
	return text[turn];
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char **)a, *(char **)b);
}

/* The names of a directory, sorted, each with a blank behind it. */
static const char *names(const char *dir)
{
	static char text[4000];
	char *list[500];
	int n = 0;
	DIR *d = opendir(dir);

	if (!d)
		return strerror(errno);
	for (struct dirent *e; (e = readdir(d));)
		if (strcmp(e->d_name, ".") && strcmp(e->d_name, ".."))
			list[n++] = strdup(e->d_name);
	closedir(d);
	qsort(list, n, sizeof(*list), by_name);
	*text = 0;
	for (int i = 0; i < n; i++)
		sprintf(text + strlen(text), "%s ", list[i]);
	return text;
}

static bool is_whiteout(const char *name)
{
	struct stat st;

	return !lstat(name, &st) && S_ISCHR(st.st_mode) && !st.st_rdev;
}

TEST(layers_hide_and_merge)
{
	layers();
	put("l1/both", "one");
	put("l2/both", "two");
	put("l2/low", "low");
	CHECK_OK(mkdir("l1/dir", 0755));
	CHECK_OK(mkdir("l2/dir", 0700));
	put("l1/dir/a", "a");
	put("l2/dir/b", "b");
	put("l1/dir_or_file", "file");
	CHECK_OK(mkdir("l2/dir_or_file", 0755));
	overlay("lowerdir=l1:l2");
	CHECK_STR(names("m"), "both dir dir_or_file low ");
	CHECK_STR(get("m/both"), "one");
	CHECK_STR(get("m/low"), "low");
	CHECK_STR(names("m/dir"), "a b ");
	CHECK_STR(get("m/dir/b"), "b");
	CHECK_STR(get("m/dir_or_file"), "file");
	CHECK_ERR(open("m/new", O_CREAT | O_WRONLY, 0644), EROFS);
	CHECK_ERR(unlink("m/both"), EROFS);
	struct statfs fs;
	CHECK_OK(statfs("m", &fs));
	CHECK_EQ(fs.f_type, 0x794c7630);
	CHECK_OK(umount("m"));
	CHECK_OK(umount2(".", MNT_DETACH));
}

TEST(copy_up_on_write)
{
	layers();
	put("l1/f", "lower text");
	CHECK_OK(chmod("l1/f", 0640));
	CHECK_OK(chown("l1/f", 12, 34));
	CHECK_OK(setxattr("l1/f", "trusted.t", "v", 1, 0));
	struct timespec old[2] = { { 1000, 5 }, { 2000, 7 } };
	CHECK_OK(utimensat(AT_FDCWD, "l1/f", old, 0));
	CHECK_OK(mkdir("l1/d", 0711));
	put("l1/d/g", "g");
	overlay_usual();
	int reader = CHECK_OK(open("m/f", O_RDONLY)), fd = CHECK_OK(open("m/f", O_RDWR));
	struct stat st, before;
	CHECK_OK(fstat(fd, &before));
	CHECK_EQ(before.st_mtim.tv_sec, 2000);
	CHECK_OK(stat("u/f", &st));
	CHECK_EQ(st.st_mode, S_IFREG | 0640);
	CHECK_EQ(st.st_uid, 12);
	CHECK_EQ(st.st_gid, 34);
	CHECK_EQ(st.st_mtim.tv_sec, 2000);
	char v[4];
	CHECK_EQ(getxattr("u/f", "trusted.t", v, 4), 1);
	CHECK_EQ(pwrite(fd, "UPPER", 5, 0), 5);
	CHECK_STR(get("m/f"), "UPPER text");
	CHECK_STR(get("l1/f"), "lower text");
	char text[20] = "";
	CHECK_EQ(pread(reader, text, 19, 0), 10);		/* who had it open before sees the change */
	CHECK_STR(text, "UPPER text");
	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_ino, before.st_ino);
	CHECK(st.st_mtim.tv_sec > 2000);
	ino_t dir_before = (CHECK_OK(stat("m/d", &st)), st.st_ino);
	put("m/d/new", "n");
	CHECK_STR(names("u/d"), "new ");
	CHECK_STR(names("m/d"), "g new ");
	CHECK_OK(stat("u/d", &st));
	CHECK_EQ(st.st_mode, S_IFDIR | 0711);
	CHECK_OK(chmod("m/d/g", 0600));
	CHECK_STR(get("u/d/g"), "g");
	CHECK_OK(truncate("m/d/g", 0));
	CHECK_STR(get("l1/d/g"), "g");
	CHECK_STR(names("w/work"), "");
	close(fd);
	close(reader);
	CHECK_OK(umount("m"));
	overlay_usual();			/* numbers are kept for good */
	CHECK_OK(stat("m/f", &st));
	CHECK_EQ(st.st_ino, before.st_ino);
	CHECK_OK(stat("m/d", &st));
	CHECK_EQ(st.st_ino, dir_before);
	char list[200];
	CHECK_EQ(listxattr("m/f", list, sizeof(list)), sizeof("trusted.t"));	/* what the overlay notes is not shown */
	close(fd);
	close(reader);
	CHECK_OK(umount("m"));
}

TEST(whiteouts)
{
	layers();
	put("l1/f", "f");
	CHECK_OK(mkdir("l1/d", 0755));
	put("l1/d/x", "x");
	put("l1/d/y", "y");
	overlay_usual();
	CHECK_OK(unlink("m/f"));
	CHECK(is_whiteout("u/f"));
	CHECK_ERR(access("m/f", F_OK), ENOENT);
	CHECK_STR(names("m"), "d ");
	CHECK_ERR(rmdir("m/d"), ENOTEMPTY);
	CHECK_OK(unlink("m/d/x"));
	CHECK_STR(names("m/d"), "y ");
	CHECK_OK(unlink("m/d/y"));
	CHECK_STR(names("m/d"), "");
	CHECK_OK(rmdir("m/d"));
	CHECK(is_whiteout("u/d"));
	CHECK_STR(names("m"), "");
	/* again, in the whiteouts' places */
	put("m/f", "new");
	CHECK_STR(get("m/f"), "new");
	CHECK_OK(mkdir("m/d", 0700));
	CHECK_STR(names("m/d"), "");
	put("m/d/z", "z");
	CHECK_STR(names("m/d"), "z ");
	CHECK_STR(names("l1/d"), "x y ");
	CHECK_OK(umount("m"));
	overlay_usual();
	CHECK_STR(names("m"), "d f ");
	CHECK_STR(names("m/d"), "z ");
	CHECK_ERR(mknod("m/no", S_IFCHR | 0600, makedev(0, 0)), EPERM);
	CHECK_OK(mknod("m/null", S_IFCHR | 0600, makedev(1, 3)));
	CHECK_OK(symlink("f", "m/link"));
	CHECK_STR(get("m/link"), "new");
	CHECK_OK(umount("m"));
}

TEST(renames)
{
	layers();
	put("l1/a", "a");
	put("l1/b", "b");
	CHECK_OK(mkdir("l1/d", 0755));
	put("l1/d/x", "x");
	CHECK_OK(mkdir("l1/e", 0755));
	overlay_usual();
	CHECK_OK(rename("m/a", "m/c"));
	CHECK_ERR(access("m/a", F_OK), ENOENT);
	CHECK(is_whiteout("u/a"));
	CHECK_STR(get("m/c"), "a");
	CHECK_OK(rename("m/c", "m/b"));			/* over another */
	CHECK_STR(get("m/b"), "a");
	CHECK_STR(names("m"), "b d e ");
	CHECK_OK(rename("m/b", "m/d/b"));
	CHECK_STR(names("m/d"), "b x ");
	CHECK_ERR(rename("m/d", "m/moved"), EXDEV);	/* a lower directory */
	CHECK_OK(mkdir("m/own", 0755));
	put("m/own/o", "o");
	CHECK_OK(rename("m/own", "m/own2"));
	CHECK_STR(names("m/own2"), "o ");
	CHECK_OK(rename("m/own2", "m/e"));		/* over an empty lower one */
	CHECK_STR(names("m/e"), "o ");
	CHECK_STR(names("m"), "d e ");
	CHECK_OK(renameat2(AT_FDCWD, "m/d/b", AT_FDCWD, "m/d/x", RENAME_EXCHANGE));
	CHECK_STR(get("m/d/b"), "x");
	CHECK_STR(get("m/d/x"), "a");
	CHECK_ERR(renameat2(AT_FDCWD, "m/d/b", AT_FDCWD, "m/d/x", RENAME_NOREPLACE), EEXIST);
	CHECK_OK(umount("m"));
	overlay_usual();
	CHECK_STR(names("m"), "d e ");
	CHECK_STR(names("m/e"), "o ");
	CHECK_STR(names("m/d"), "b x ");
	CHECK_OK(umount("m"));
}

TEST(links)
{
	struct stat a, b;

	layers();
	put("l1/f", "f");
	overlay_usual();
	CHECK_OK(link("m/f", "m/g"));
	CHECK_OK(stat("m/f", &a));
	CHECK_OK(stat("m/g", &b));
	CHECK_EQ(a.st_ino, b.st_ino);
	CHECK_EQ(a.st_nlink, 2);
	put("m/g", "changed");
	CHECK_STR(get("m/f"), "changed");
	CHECK_OK(unlink("m/f"));
	CHECK_OK(stat("m/g", &b));
	CHECK_EQ(b.st_nlink, 1);
	CHECK_OK(link("m/g", "m/f"));			/* in the whiteout's place */
	CHECK_STR(get("m/f"), "changed");
	CHECK_OK(umount("m"));
}

TEST(mappings)
{
	char *shared, *private;

	layers();
	put("l1/f", "0123456789");
	overlay_usual();
	int fd = CHECK_OK(open("m/f", O_RDWR));
	shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	private = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	CHECK(shared != MAP_FAILED && private != MAP_FAILED);
	close(fd);
	shared[0] = 'A';
	CHECK_STR(get("m/f"), "A123456789");
	CHECK_EQ(private[0], 'A');
	private[1] = 'P';
	fd = CHECK_OK(open("m/f", O_RDWR));
	CHECK_EQ(pwrite(fd, "Z", 1, 9), 1);
	CHECK_EQ(shared[9], 'Z');
	CHECK_STR(get("m/f"), "A12345678Z");
	CHECK_STR(get("l1/f"), "0123456789");
	CHECK_OK(msync(shared, 4096, MS_SYNC));
	CHECK_OK(fsync(fd));
	CHECK_OK(fallocate(fd, 0, 0, 10000));
	CHECK_EQ(lseek(fd, 0, SEEK_END), 10000);
	CHECK_OK(ftruncate(fd, 5));
	CHECK_OK(fcntl(fd, F_SETFL, O_APPEND));
	CHECK_EQ(write(fd, "end", 3), 3);
	CHECK_STR(get("m/f"), "A1234end");
	munmap(shared, 4096);
	munmap(private, 4096);
	close(fd);
	CHECK_OK(umount("m"));
}

/* What the test below executes: this program under another name. */
__attribute__((constructor)) static void sleeper(int argc, char **argv)
{
	if (!strcmp(argv[0], "sleeper")) {
		sleep(100);
		_exit(0);
	}
}

TEST(programs_sockets_locks)
{
	struct sockaddr_un sun = { AF_UNIX, "m/sock" };
	char buf[2];

	layers();
	CHECK_OK(mkfifo("l1/fifo", 0600));
	overlay_usual();
	int s = CHECK_OK(socket(AF_UNIX, SOCK_STREAM, 0)), c = CHECK_OK(socket(AF_UNIX, SOCK_STREAM, 0));
	CHECK_OK(bind(s, (void *)&sun, sizeof(sun)));
	CHECK_OK(listen(s, 1));
	CHECK_OK(connect(c, (void *)&sun, sizeof(sun)));
	int fifo = CHECK_OK(open("m/fifo", O_RDWR));
	CHECK_EQ(write(fifo, "x", 1), 1);
	CHECK_EQ(read(fifo, buf, 1), 1);
	int a = CHECK_OK(open("m/lock", O_CREAT | O_RDWR, 0600)), b = CHECK_OK(open("m/lock", O_RDWR));
	CHECK_OK(flock(a, LOCK_EX));
	CHECK_ERR(flock(b, LOCK_EX | LOCK_NB), EWOULDBLOCK);
	close(s);
	close(c);
	close(fifo);
	close(a);
	close(b);
	/* this very program, run from a lower layer, then written to: ETXTBSY while it runs */
	char line[200];
	sprintf(line, "cp /proc/%d/exe u/prog", getpid());
	CHECK_EQ(system(line), 0);
	pid_t pid = fork();
	if (!pid) {
		execl("m/prog", "sleeper", NULL);
		_exit(9);
	}
	for (int i = 0; i < 3000; i++) {
		sprintf(line, "/proc/%d/exe", pid);
		char exe[200] = "";
		if (readlink(line, exe, 199) > 6 && strstr(exe, "/m/prog"))
			break;
		usleep(10000);
	}
	CHECK_ERR(open("m/prog", O_WRONLY), ETXTBSY);
	kill(pid, SIGKILL);
	t_wait(pid);
	CHECK_OK(umount("m"));
}

TEST(unlinked_but_open)
{
	char buf[20] = "";
	struct stat st;

	layers();
	put("l1/f", "kept");
	overlay_usual();
	int fd = CHECK_OK(open("m/f", O_RDONLY)), dir = CHECK_OK(open("m", O_RDONLY | O_DIRECTORY));
	CHECK_OK(unlink("m/f"));
	CHECK_EQ(read(fd, buf, 19), 4);
	/* Copies up what has no name any more; some Linux kernels say EEXIST. */
	if (!fchmod(fd, 0600)) {
		CHECK_OK(fstat(fd, &st));
		CHECK_EQ(st.st_mode, S_IFREG | 0600);
	} else {
		CHECK_EQ(errno, EEXIST);
	}
	CHECK_EQ(pread(fd, buf, 19, 0), 4);
	CHECK_STR(names("u"), "f ");
	CHECK_OK(fsync(dir));
	close(fd);
	close(dir);
	CHECK_OK(umount("m"));
}

TEST(attributes_and_owners)
{
	struct stat st;
	char list[500], v[10];

	layers();
	CHECK_OK(mkdir("l1/open", 01777));
	CHECK_OK(chmod("l1/open", 01777));
	put("l1/secret", "s");
	CHECK_OK(chmod("l1/secret", 0600));
	put("l1/suid", "s");
	CHECK_OK(chmod("l1/suid", 04777));
	CHECK_OK(mkdir("l1/gone", 0755));
	overlay_usual();
	CHECK_OK(chmod(".", 0755));
	CHECK_OK(rmdir("m/gone"));
	CHECK_OK(mkdir("m/gone", 0755));		/* marked as opaque */
	CHECK_EQ(getxattr("u/gone", "trusted.overlay.opaque", v, 10), 1);
	CHECK_EQ(getxattr("m/gone", "trusted.overlay.opaque", v, 10), -1);
	CHECK(errno == EOPNOTSUPP || errno == ENODATA);
	CHECK_OK(setxattr("m/gone", "trusted.mine", "1", 1, 0));
	ssize_t n = CHECK_OK(listxattr("m/gone", list, sizeof(list)));
	for (char *p = list; p < list + n; p += strlen(p) + 1)
		CHECK(!strstr(p, "overlay"));
	CHECK_OK(removexattr("m/gone", "trusted.mine"));
	pid_t pid = fork();
	if (!pid) {
		if (setgid(77) || setuid(77))
			_exit(1);
		if (open("m/secret", O_RDONLY) >= 0 || errno != EACCES)
			_exit(2);
		if (open("m/new", O_CREAT | O_WRONLY, 0600) >= 0 || errno != EACCES)
			_exit(3);
		if (open("m/open/mine", O_CREAT | O_WRONLY, 0600) < 0)
			_exit(4);
		int fd = open("m/suid", O_WRONLY);
		if (fd < 0 || write(fd, "x", 1) != 1)
			_exit(5);
		if (chmod("m/secret", 0666) == 0 || errno != EPERM)
			_exit(6);
		_exit(0);
	}
	CHECK_EQ(t_wait(pid), 0);
	CHECK_OK(stat("u/open/mine", &st));
	CHECK_EQ(st.st_uid, 77);
	CHECK_EQ(st.st_gid, 77);
	CHECK_OK(stat("m/suid", &st));
	CHECK_EQ(st.st_mode, S_IFREG | 0777);
	CHECK_OK(umount("m"));
}

TEST(bad_mounts)
{
	layers();
	overlay_usual();
	CHECK_OK(umount("m"));
	CHECK_OK(mkdir("u/in", 0755));
	CHECK_ERR(mount("o", "m", "overlay", 0, "lowerdir=l1,upperdir=u,workdir=u/in"), EINVAL);
	CHECK_ERR(mount("o", "m", "overlay", 0, "lowerdir=nothere,upperdir=u,workdir=w"), ENOENT);
	CHECK_ERR(mount("o", "m", "overlay", 0, "upperdir=u,workdir=w"), EINVAL);
	CHECK_ERR(mount("o", "m", "overlay", 0, "lowerdir=l1,upperdir=u"), EINVAL);
	CHECK_ERR(mount("o", "m", "overlay", 0, "lowerdir=l1,nonsense=1"), EINVAL);
}

/* ---- random operations on an overlay and on a plain directory ---- */

static unsigned int seed = 12345;

static unsigned int below(unsigned int n)
{
	seed = seed * 1103515245 + 12345;
	return (seed >> 8) % n;
}

static void a_name(char *name, const char *top)
{
	sprintf(name, "%s/%c", top, 'a' + below(4));
	for (int depth = below(3); depth; depth--)
		sprintf(name + strlen(name), "/%c", 'a' + below(4));
}

static int listing(const char *top, const char *name, char *out, int room)
{
	char path[300];
	struct stat st;
	int n;

	sprintf(path, "%s/%s", top, name);
	if (lstat(path, &st))
		return snprintf(out, room, "%s gone;", name);
	if (!S_ISDIR(st.st_mode))
		return snprintf(out, room, "%s %o %ld %s;", name, st.st_mode, (long)st.st_size, get(path));
	n = snprintf(out, room, "%s/ %o;", name, st.st_mode);
	char *list = strdup(names(path)), *rest = list;
	for (char *sub; (sub = strsep(&rest, " "));) {
		char subname[300];

		if (!*sub)
			continue;
		snprintf(subname, sizeof(subname), "%s/%s", name, sub);
		n += listing(top, subname, out + n, room - n);
	}
	free(list);
	return n;
}

/* One operation on the tree `top`, decided by the same random numbers: 0 or -errno. */
static int operation(const char *top, int round)
{
	char a[100], b[100], text[20];
	int fd, op = below(10);

	a_name(a, top);
	a_name(b, top);
	sprintf(text, "%d", round);
	switch (op) {
	case 0: case 1:
		fd = open(a, O_CREAT | O_WRONLY | (op ? O_TRUNC : O_APPEND), 0644);
		if (fd < 0)
			return -errno;
		if (write(fd, text, strlen(text)) < 0)
			return -errno;
		close(fd);
		return 0;
	case 2: return mkdir(a, 0755) ? -errno : 0;
	case 3: return unlink(a) ? -errno : 0;
	case 4: return rmdir(a) ? -errno : 0;
	case 5: case 6: return rename(a, b) ? -errno : 0;
	case 7: return link(a, b) ? -errno : 0;
	case 8: return symlink(text, a) ? -errno : 0;
	default: return chmod(a, 0600 + below(64)) ? -errno : 0;
	}
}

static void fill(const char *top)
{
	for (int i = 0; i < 60; i++)
		operation(top, i);
}

/* The lower layers hold what `plain` holds; whatever is done then must leave both alike. */
TEST(like_a_plain_tree)
{
	static char one[60000], two[60000];
	int moved_dirs = 0, done = 0;

	layers();
	if (getenv("SEED"))
		seed = atoi(getenv("SEED"));
	fill("l1");
	CHECK_EQ(system("cp -a l1 plain"), 0);
	overlay_usual();
	for (int round = 0; round < 1500; round++) {
		unsigned int before = seed, after;
		int got = operation("m", round), want;

		if (got == -EXDEV) {			/* a lower directory: mv would copy */
			moved_dirs++;
			continue;
		}
		after = seed;
		seed = before;
		want = operation("plain", round);
		CHECK_EQ(seed, after);
		if (got != want)
			FAIL("round %d: %s, not %s", round, strerror(-got), strerror(-want));
		done += !got;
		if (round % 100 == 99) {
			listing("m", ".", one, sizeof(one));
			listing("plain", ".", two, sizeof(two));
			CHECK_STR(one, two);
		}
		if (round % 500 == 250) {
			CHECK_OK(umount("m"));
			overlay_usual();
		}
	}
	CHECK(done > 100 && moved_dirs < 1000);
	CHECK(strlen(names("w/work")) < 10);		/* Linux keeps one whiteout there */
	CHECK_OK(umount("m"));
}
