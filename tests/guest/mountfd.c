/* mountfd.c: mounts as open files: open_tree, move_mount, fsopen, fsconfig, fsmount, fspick, mount_setattr. */
#include "t.h"
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>

/* What older C libraries do not name. */
#define T_TREE_CLONE		1
#define T_RECURSIVE		0x8000
#define T_F_EMPTY		4
#define T_T_EMPTY		0x40
#define T_SET_GROUP		0x100
enum { SET_FLAG, SET_STRING, SET_BINARY, SET_PATH, SET_PATH_EMPTY, SET_FD, CREATE, RECONFIGURE };
#define A_RDONLY		1
#define A_NOSUID		2
#define A_NODEV			4
#define A_NOEXEC		8
#define A__ATIME		0x70
#define A_NOATIME		0x10
#define A_STRICTATIME		0x20
#define A_NODIRATIME		0x80
#define A_IDMAP			0x100000
#define A_NOSYMFOLLOW		0x200000

struct m_attr { uint64_t set, clr, propagation, userns_fd; };

static int open_tree_(int dfd, const char *path, unsigned int flags)
{
	return syscall(SYS_open_tree, dfd, path, flags);
}

static int move_mount_(int from, const char *from_path, int to, const char *to_path, unsigned int flags)
{
	return syscall(SYS_move_mount, from, from_path, to, to_path, flags);
}

static int fsopen_(const char *name, unsigned int flags)
{
	return syscall(SYS_fsopen, name, flags);
}

static int fsconfig_(int fd, unsigned int cmd, const char *key, const void *value, int aux)
{
	return syscall(SYS_fsconfig, fd, cmd, key, value, aux);
}

static int fsmount_(int fd, unsigned int flags, unsigned int attrs)
{
	return syscall(SYS_fsmount, fd, flags, attrs);
}

static int fspick_(int dfd, const char *path, unsigned int flags)
{
	return syscall(SYS_fspick, dfd, path, flags);
}

static int setattr_(int dfd, const char *path, unsigned int flags, uint64_t set, uint64_t clr, uint64_t propagation)
{
	struct m_attr a = { set, clr, propagation, 0 };

	return syscall(SYS_mount_setattr, dfd, path, flags, &a, sizeof(a));
}

/* A tmpfs of our own, private, with directories a, b, c. */
static void need_root(void)
{
	char base[64];

	if (getuid())
		SKIP("not root");
	if (unshare(CLONE_NEWNS))
		SKIP("may not unshare here: %s", strerror(errno));
	CHECK_OK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	sprintf(base, "/tmp/mntfd%d", getpid());
	CHECK_OK(mkdir(base, 0700));
	CHECK_OK(mount("none", base, "tmpfs", 0, NULL));
	CHECK_OK(chdir(base));
	CHECK_OK(mkdir("a", 0700));
	CHECK_OK(mkdir("b", 0700));
	CHECK_OK(mkdir("c", 0700));
}

static void touch(const char *name)
{
	close(CHECK_OK(open(name, O_CREAT | O_WRONLY, 0600)));
}

static unsigned long flags_of(const char *path)
{
	struct statvfs st;

	CHECK_OK(statvfs(path, &st));
	return st.f_flag;
}

/* The word `name:` and its number in the optional fields of the mount at path; 0: none. */
static int group_of(const char *path, const char *name)
{
	char line[2000], cwd[300], want[600], *p;
	FILE *f = fopen("/proc/self/mountinfo", "r");
	int n = 0;

	CHECK(f && getcwd(cwd, sizeof(cwd)));
	sprintf(want, " %s/%s ", cwd, path);
	while (fgets(line, sizeof(line), f)) {
		if (strstr(line, want)) {
			p = strstr(line, name);
			n = p ? atoi(p + strlen(name)) : 0;
		}
	}
	fclose(f);
	return n;
}

/* A tmpfs as fsmount() makes it. */
static int new_tmpfs(unsigned int attrs)
{
	int fc = CHECK_OK(fsopen_("tmpfs", 1)), fd;

	CHECK_OK(fsconfig_(fc, SET_STRING, "size", "1m", 0));
	CHECK_OK(fsconfig_(fc, CREATE, NULL, NULL, 0));
	fd = CHECK_OK(fsmount_(fc, 1, attrs));
	close(fc);
	return fd;
}

TEST(fsopen_to_mount)
{
	struct statfs st;
	int fc, fd;

	need_root();
	fc = CHECK_OK(fsopen_("tmpfs", 1));
	CHECK_EQ(fcntl(fc, F_GETFD), FD_CLOEXEC);
	CHECK_OK(fsconfig_(fc, SET_STRING, "source", "mine", 0));
	CHECK_OK(fsconfig_(fc, SET_STRING, "size", "1m", 0));
	CHECK_OK(fsconfig_(fc, SET_STRING, "mode", "711", 0));
	CHECK_ERR(fsmount_(fc, 0, 0), EINVAL);			/* nothing made yet */
	CHECK_OK(fsconfig_(fc, CREATE, NULL, NULL, 0));
	CHECK_ERR(fsconfig_(fc, CREATE, NULL, NULL, 0), EBUSY);
	CHECK_ERR(fsconfig_(fc, SET_FLAG, "ro", NULL, 0), EBUSY);
	fd = CHECK_OK(fsmount_(fc, 0, A_NOSUID | A_NOEXEC));
	CHECK_EQ(fcntl(fd, F_GETFD), 0);
	CHECK_ERR(fsmount_(fc, 0, 0), EBUSY);
	CHECK_OK(fstatfs(fd, &st));
	CHECK_EQ(st.f_type, 0x01021994);
	CHECK_EQ(st.f_blocks, (1 << 20) / st.f_bsize);
	close(CHECK_OK(openat(fd, "before", O_CREAT | O_WRONLY, 0600)));	/* used before it has a place */
	CHECK_OK(move_mount_(fd, "", AT_FDCWD, "a", T_F_EMPTY));
	CHECK_OK(access("a/before", F_OK));
	CHECK_EQ(flags_of("a") & (ST_NOSUID | ST_NOEXEC | ST_NODEV | ST_RDONLY), ST_NOSUID | ST_NOEXEC);
	close(fd);
	close(fc);
	CHECK_OK(access("a/before", F_OK));			/* it stays */
	CHECK_OK(umount("a"));
	CHECK_ERR(access("a/before", F_OK), ENOENT);
}

TEST(fsopen_errors)
{
	int fc, file, p[2];
	char buf[300];

	need_root();
	CHECK_ERR(fsopen_("nosuchfs", 0), ENODEV);
	CHECK_ERR(fsopen_("tmpfs", 2), EINVAL);
	CHECK_ERR(fsopen_((void *)1, 0), EFAULT);
	fc = CHECK_OK(fsopen_("tmpfs", 0));
	CHECK_EQ(fcntl(fc, F_GETFD), 0);
	CHECK_ERR(read(fc, buf, sizeof(buf)), ENODATA);
	CHECK_ERR(fsconfig_(fc, 99, "a", "b", 0), EOPNOTSUPP);
	CHECK_ERR(fsconfig_(fc, SET_FLAG, NULL, NULL, 0), EINVAL);
	CHECK_ERR(fsconfig_(fc, SET_FLAG, "ro", "x", 0), EINVAL);
	CHECK_ERR(fsconfig_(fc, SET_FLAG, "ro", NULL, 1), EINVAL);
	CHECK_ERR(fsconfig_(fc, SET_STRING, "size", NULL, 0), EINVAL);
	CHECK_ERR(fsconfig_(fc, SET_BINARY, "size", "x", 0), EINVAL);
	CHECK_ERR(fsconfig_(fc, SET_BINARY, "size", "x", 1024 * 1024 + 1), EINVAL);
	CHECK_ERR(fsconfig_(fc, SET_FD, "size", "x", 0), EINVAL);
	CHECK_ERR(fsconfig_(fc, SET_FD, "size", NULL, -1), EINVAL);
	CHECK_ERR(fsconfig_(fc, CREATE, "x", NULL, 0), EINVAL);
	CHECK_ERR(fsconfig_(fc, SET_STRING, (void *)1, "x", 0), EFAULT);
	CHECK_ERR(fsconfig_(fc, SET_STRING, "size", (void *)1, 0), EFAULT);
	CHECK_ERR(fsconfig_(-1, SET_FLAG, "ro", NULL, 0), EINVAL);
	CHECK_ERR(fsconfig_(999, SET_FLAG, "ro", NULL, 0), EBADF);
	CHECK_OK(fsconfig_(fc, SET_STRING, "source", "one", 0));
	CHECK_ERR(fsconfig_(fc, SET_STRING, "source", "two", 0), EINVAL);
	CHECK(read(fc, buf, sizeof(buf)) > 2 && buf[0] == 'e' && buf[1] == ' ');
	CHECK_ERR(read(fc, buf, sizeof(buf)), ENODATA);
	CHECK_ERR(fsconfig_(fc, RECONFIGURE, NULL, NULL, 0), EBUSY);
	CHECK_OK(pipe(p));
	CHECK_ERR(fsconfig_(p[0], SET_FLAG, "ro", NULL, 0), EINVAL);
	CHECK_ERR(fsmount_(p[0], 0, 0), EINVAL);
	CHECK_ERR(fsmount_(999, 0, 0), EBADF);
	CHECK_ERR(fsmount_(fc, 2, 0), EINVAL);
	CHECK_ERR(fsmount_(fc, 0, A_IDMAP), EINVAL);
	CHECK_ERR(fsmount_(fc, 0, 0x30), EINVAL);
	/* A device is wanted: without one, and with what is none. */
	file = fsopen_("ext4", 0);
	if (file >= 0) {
		CHECK_ERR(fsconfig_(file, CREATE, NULL, NULL, 0), EINVAL);
		CHECK_ERR(fsconfig_(file, CREATE, NULL, NULL, 0), EBUSY);	/* it has failed for good */
		close(file);
		file = CHECK_OK(fsopen_("ext4", 0));
		CHECK_OK(fsconfig_(file, SET_STRING, "source", "/dev/null", 0));
		CHECK_ERR(fsconfig_(file, CREATE, NULL, NULL, 0), ENOTBLK);
	}
}

/* An unknown option is refused when it is given or when the file system is made: not later. */
TEST(unknown_option)
{
	int fc;

	need_root();
	fc = CHECK_OK(fsopen_("tmpfs", 0));
	if (fsconfig_(fc, SET_STRING, "colour", "blue", 0)) {
		CHECK_EQ(errno, EINVAL);
		return;
	}
	CHECK_ERR(fsconfig_(fc, CREATE, NULL, NULL, 0), EINVAL);
	CHECK_ERR(fsmount_(fc, 0, 0), EINVAL);
}

TEST(superblock_flags)
{
	int fc, fd;

	need_root();
	fc = CHECK_OK(fsopen_("tmpfs", 0));
	CHECK_OK(fsconfig_(fc, SET_FLAG, "rw", NULL, 0));
	CHECK_OK(fsconfig_(fc, SET_FLAG, "ro", NULL, 0));
	CHECK_OK(fsconfig_(fc, CREATE, NULL, NULL, 0));
	fd = CHECK_OK(fsmount_(fc, 0, 0));
	CHECK_ERR(openat(fd, "x", O_CREAT | O_WRONLY, 0600), EROFS);
	/* After fsmount() the same context changes what is mounted. */
	CHECK_OK(fsconfig_(fc, SET_FLAG, "rw", NULL, 0));
	CHECK_OK(fsconfig_(fc, RECONFIGURE, NULL, NULL, 0));
	close(CHECK_OK(openat(fd, "x", O_CREAT | O_WRONLY, 0600)));
	close(fd);
	close(fc);
}

TEST(fspick_reconfigures)
{
	struct statfs st;
	int fc;

	need_root();
	CHECK_OK(mount("none", "a", "tmpfs", 0, "size=1m"));
	CHECK_OK(mkdir("a/sub", 0700));
	CHECK_ERR(fspick_(AT_FDCWD, "a", 16), EINVAL);
	CHECK_ERR(fspick_(AT_FDCWD, "nosuch", 0), ENOENT);
	CHECK_ERR(fspick_(AT_FDCWD, "a/sub", 0), EINVAL);	/* not where it is mounted */
	CHECK_OK(symlink("a", "link"));
	CHECK_ERR(fspick_(AT_FDCWD, "link", 2), EINVAL);
	close(CHECK_OK(fspick_(AT_FDCWD, "link", 0)));
	fc = CHECK_OK(fspick_(AT_FDCWD, "a", 1));
	CHECK_EQ(fcntl(fc, F_GETFD), FD_CLOEXEC);
	CHECK_ERR(fsconfig_(fc, CREATE, NULL, NULL, 0), EBUSY);
	CHECK_OK(fsconfig_(fc, SET_STRING, "size", "2m", 0));
	CHECK_OK(fsconfig_(fc, SET_FLAG, "ro", NULL, 0));
	CHECK_OK(fsconfig_(fc, RECONFIGURE, NULL, NULL, 0));
	CHECK_OK(statfs("a", &st));
	CHECK_EQ(st.f_blocks, (2 << 20) / st.f_bsize);
	CHECK_ERR(mkdir("a/x", 0700), EROFS);
	CHECK_OK(umount("a"));					/* a context keeps no mount busy */
	close(fc);
}

TEST(open_tree_is_a_path)
{
	int fd;

	need_root();
	touch("a/file");
	fd = CHECK_OK(open_tree_(AT_FDCWD, "a", O_CLOEXEC));
	CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	CHECK_EQ(fcntl(fd, F_GETFL) & O_PATH, O_PATH);
	CHECK_OK(faccessat(fd, "file", F_OK, 0));
	CHECK_ERR(open_tree_(AT_FDCWD, "a", 2), EINVAL);
	CHECK_ERR(open_tree_(AT_FDCWD, "a", T_RECURSIVE), EINVAL);
	CHECK_ERR(open_tree_(AT_FDCWD, "nosuch", T_TREE_CLONE), ENOENT);
	CHECK_ERR(open_tree_(AT_FDCWD, "", T_TREE_CLONE), ENOENT);
	CHECK_ERR(open_tree_(999, "x", T_TREE_CLONE), EBADF);
	CHECK_ERR(open_tree_(AT_FDCWD, (void *)1, 0), EFAULT);
	close(CHECK_OK(open_tree_(fd, "", AT_EMPTY_PATH | T_TREE_CLONE)));
}

TEST(clone_and_move)
{
	int fd;

	need_root();
	CHECK_OK(mount("none", "a", "tmpfs", 0, NULL));
	CHECK_OK(mkdir("a/x", 0700));
	CHECK_OK(mount("none", "a/x", "tmpfs", 0, NULL));
	touch("a/x/deep");
	fd = CHECK_OK(open_tree_(AT_FDCWD, "a", T_TREE_CLONE));
	CHECK_OK(move_mount_(fd, "", AT_FDCWD, "b", T_F_EMPTY));
	close(fd);
	CHECK_OK(access("b/x", F_OK));
	CHECK_ERR(access("b/x/deep", F_OK), ENOENT);
	fd = CHECK_OK(open_tree_(AT_FDCWD, "a", T_TREE_CLONE | T_RECURSIVE));
	CHECK_OK(faccessat(fd, "x/deep", F_OK, 0));
	CHECK_OK(move_mount_(fd, "", AT_FDCWD, "c", T_F_EMPTY));
	CHECK_OK(access("c/x/deep", F_OK));
	/* Moved: now it is an ordinary mount, which the same descriptor may move on. */
	CHECK_OK(mkdir("d", 0700));
	CHECK_OK(move_mount_(fd, "", AT_FDCWD, "d", T_F_EMPTY));
	CHECK_ERR(access("c/x", F_OK), ENOENT);
	close(fd);
	CHECK_OK(access("d/x/deep", F_OK));
	CHECK_OK(umount2("d", MNT_DETACH));
}

/* Nobody moved it: it goes with its file, and what was mounted is free again. */
TEST(closed_tree_goes)
{
	int fd;

	need_root();
	CHECK_OK(mount("none", "a", "tmpfs", 0, NULL));
	touch("a/file");
	for (int i = 0; i < 20; i++) {
		fd = CHECK_OK(open_tree_(AT_FDCWD, "a", T_TREE_CLONE | T_RECURSIVE));
		close(fd);
		close(new_tmpfs(0));
	}
	CHECK_OK(umount("a"));
}

TEST(file_mount)
{
	int fd;

	need_root();
	touch("file");
	touch("place");
	fd = CHECK_OK(open("file", O_WRONLY));
	CHECK_EQ(write(fd, "hi", 2), 2);
	close(fd);
	fd = CHECK_OK(open_tree_(AT_FDCWD, "file", T_TREE_CLONE));
	CHECK_ERR(move_mount_(fd, "", AT_FDCWD, "a", T_F_EMPTY), EINVAL);	/* a file on a directory */
	CHECK_OK(move_mount_(fd, "", AT_FDCWD, "place", T_F_EMPTY));
	close(fd);
	struct stat st;
	CHECK_OK(stat("place", &st));
	CHECK_EQ(st.st_size, 2);
}

TEST(move_errors)
{
	int fd;

	need_root();
	fd = new_tmpfs(0);
	CHECK_ERR(move_mount_(fd, "", AT_FDCWD, "a", 0), ENOENT);
	CHECK_ERR(move_mount_(fd, "", AT_FDCWD, "a", T_F_EMPTY | 0x8000), EINVAL);
	CHECK_ERR(move_mount_(fd, "", AT_FDCWD, "nosuch", T_F_EMPTY), ENOENT);
	CHECK_ERR(move_mount_(999, "", AT_FDCWD, "a", T_F_EMPTY), EBADF);
	CHECK_ERR(move_mount_(AT_FDCWD, "a", AT_FDCWD, "b", 0), EINVAL);	/* nothing is mounted there */
	CHECK_OK(mount("none", "a", "tmpfs", 0, NULL));
	CHECK_OK(mkdir("a/x", 0700));
	CHECK_ERR(move_mount_(AT_FDCWD, "a", AT_FDCWD, "a/x", 0), ELOOP);
	CHECK_OK(move_mount_(AT_FDCWD, "a", AT_FDCWD, "b", 0));
	CHECK_OK(access("b/x", F_OK));
	/* Out of a shared parent nothing is moved. */
	CHECK_OK(mount("none", "b/x", "tmpfs", 0, NULL));
	CHECK_OK(mount(NULL, "b", NULL, MS_SHARED, NULL));
	CHECK_ERR(move_mount_(AT_FDCWD, "b/x", AT_FDCWD, "c", 0), EINVAL);
	/* An unbindable mount is not copied. */
	CHECK_OK(mount("none", "c", "tmpfs", 0, NULL));
	CHECK_OK(mount(NULL, "c", NULL, MS_UNBINDABLE, NULL));
	CHECK_ERR(open_tree_(AT_FDCWD, "c", T_TREE_CLONE), EINVAL);
}

/* What is moved onto a shared mount is copied to its peers. */
TEST(move_propagates)
{
	int fd;

	need_root();
	CHECK_OK(mount("none", "a", "tmpfs", 0, NULL));
	CHECK_OK(mkdir("a/x", 0700));
	CHECK_OK(mount(NULL, "a", NULL, MS_SHARED, NULL));
	CHECK_OK(mount("a", "b", NULL, MS_BIND, NULL));
	fd = new_tmpfs(0);
	CHECK_OK(move_mount_(fd, "", AT_FDCWD, "a/x", T_F_EMPTY));
	touch("a/x/file");
	CHECK_OK(access("b/x/file", F_OK));
	CHECK(group_of("a/x", "shared:") > 0);
	CHECK_EQ(group_of("a/x", "shared:"), group_of("b/x", "shared:"));
	close(fd);
}

TEST(set_group)
{
	need_root();
	CHECK_OK(mount("none", "a", "tmpfs", 0, NULL));
	CHECK_OK(mkdir("a/x", 0700));
	CHECK_OK(mount("a", "b", NULL, MS_BIND, NULL));
	CHECK_ERR(move_mount_(AT_FDCWD, "a", AT_FDCWD, "b", T_SET_GROUP), EINVAL);	/* a has no group */
	CHECK_OK(mount(NULL, "a", NULL, MS_SHARED, NULL));
	CHECK_ERR(move_mount_(AT_FDCWD, "a/x", AT_FDCWD, "b", T_SET_GROUP), EINVAL);
	CHECK_ERR(move_mount_(AT_FDCWD, "a", AT_FDCWD, "c", T_SET_GROUP), EINVAL);
	CHECK_OK(move_mount_(AT_FDCWD, "a", AT_FDCWD, "b", T_SET_GROUP));
	CHECK_EQ(group_of("a", "shared:"), group_of("b", "shared:"));
	CHECK_OK(mount("none", "a/x", "tmpfs", 0, NULL));
	touch("a/x/file");
	CHECK_OK(access("b/x/file", F_OK));
	CHECK_ERR(move_mount_(AT_FDCWD, "a", AT_FDCWD, "b", T_SET_GROUP), EINVAL);	/* b has one now */
}

TEST(setattr_flags)
{
	int fd;

	need_root();
	CHECK_OK(mount("none", "a", "tmpfs", 0, NULL));
	CHECK_OK(setattr_(AT_FDCWD, "a", 0, A_RDONLY | A_NODEV | A_NOSUID, 0, 0));
	CHECK_EQ(flags_of("a") & (ST_RDONLY | ST_NODEV | ST_NOSUID | ST_NOEXEC), ST_RDONLY | ST_NODEV | ST_NOSUID);
	CHECK_ERR(mkdir("a/x", 0700), EROFS);
	CHECK_OK(setattr_(AT_FDCWD, "a", 0, A_NOEXEC, A_RDONLY | A_NOSUID, 0));
	CHECK_EQ(flags_of("a") & (ST_RDONLY | ST_NODEV | ST_NOSUID | ST_NOEXEC), ST_NODEV | ST_NOEXEC);
	CHECK_OK(setattr_(AT_FDCWD, "a", 0, A_NOATIME, A__ATIME, 0));
	CHECK_EQ(flags_of("a") & (ST_NOATIME | ST_RELATIME), ST_NOATIME);
	CHECK_OK(setattr_(AT_FDCWD, "a", 0, A_NODIRATIME, 0, 0));
	CHECK_EQ(flags_of("a") & (ST_NOATIME | ST_NODIRATIME), ST_NOATIME | ST_NODIRATIME);
	CHECK_OK(setattr_(AT_FDCWD, "a", 0, A_STRICTATIME, A__ATIME, 0));
	CHECK_EQ(flags_of("a") & (ST_NOATIME | ST_RELATIME), 0);
	CHECK_OK(setattr_(AT_FDCWD, "a", 0, 0, A__ATIME, 0));
	CHECK_EQ(flags_of("a") & (ST_NOATIME | ST_RELATIME), ST_RELATIME);
	CHECK_OK(symlink("nowhere", "a/link"));
	CHECK_OK(setattr_(AT_FDCWD, "a", 0, A_NOSYMFOLLOW, 0, 0));
	CHECK_ERR(open("a/link", O_RDONLY), ELOOP);
	/* Somebody writes. */
	fd = CHECK_OK(open("a/file", O_CREAT | O_WRONLY, 0600));
	CHECK_ERR(setattr_(AT_FDCWD, "a", 0, A_RDONLY, 0, 0), EBUSY);
	close(fd);
	CHECK_OK(setattr_(AT_FDCWD, "a", 0, A_RDONLY, 0, 0));
	/* Of a tree without a place. */
	fd = CHECK_OK(open_tree_(AT_FDCWD, "a", T_TREE_CLONE));
	CHECK_OK(setattr_(fd, "", AT_EMPTY_PATH, 0, A_RDONLY, 0));
	CHECK_OK(move_mount_(fd, "", AT_FDCWD, "b", T_F_EMPTY));
	touch("b/new");
	CHECK_ERR(open("a/new", O_WRONLY), EROFS);
}

TEST(setattr_recursive)
{
	int fd;

	need_root();
	CHECK_OK(mount("none", "a", "tmpfs", 0, NULL));
	CHECK_OK(mkdir("a/x", 0700));
	CHECK_OK(mount("none", "a/x", "tmpfs", 0, NULL));
	CHECK_OK(setattr_(AT_FDCWD, "a", 0, A_NOEXEC, 0, MS_SHARED));
	CHECK_EQ(flags_of("a/x") & ST_NOEXEC, 0);
	CHECK(group_of("a", "shared:") > 0);
	CHECK_EQ(group_of("a/x", "shared:"), 0);
	CHECK_OK(setattr_(AT_FDCWD, "a", T_RECURSIVE, A_NODEV, 0, MS_SHARED));
	CHECK_EQ(flags_of("a/x") & ST_NODEV, ST_NODEV);
	CHECK(group_of("a/x", "shared:") > 0);
	/* All or nothing. */
	fd = CHECK_OK(open("a/x/file", O_CREAT | O_WRONLY, 0600));
	CHECK_ERR(setattr_(AT_FDCWD, "a", T_RECURSIVE, A_RDONLY, 0, MS_PRIVATE), EBUSY);
	CHECK_EQ(flags_of("a") & ST_RDONLY, 0);
	CHECK(group_of("a", "shared:") > 0);
	touch("a/still_writable");
	close(fd);
	CHECK_OK(setattr_(AT_FDCWD, "a", T_RECURSIVE, A_RDONLY, 0, MS_PRIVATE));
	CHECK_EQ(flags_of("a/x") & ST_RDONLY, ST_RDONLY);
	CHECK_EQ(group_of("a/x", "shared:"), 0);
}

TEST(setattr_errors)
{
	char big[5000] = { 0 };
	struct m_attr a = { A_RDONLY, 0, 0, 0 };

	need_root();
	CHECK_OK(mount("none", "a", "tmpfs", 0, NULL));
	CHECK_OK(mkdir("a/x", 0700));
	CHECK_ERR(setattr_(AT_FDCWD, "a", 1, A_RDONLY, 0, 0), EINVAL);
	CHECK_ERR(setattr_(AT_FDCWD, "a/x", 0, A_RDONLY, 0, 0), EINVAL);
	CHECK_ERR(setattr_(AT_FDCWD, "nosuch", 0, A_RDONLY, 0, 0), ENOENT);
	CHECK_ERR(setattr_(AT_FDCWD, "a", 0, 1ULL << 40, 0, 0), EINVAL);
	CHECK_ERR(setattr_(AT_FDCWD, "a", 0, A_NOATIME, 0, 0), EINVAL);
	CHECK_ERR(setattr_(AT_FDCWD, "a", 0, 0, A_NOATIME, 0), EINVAL);
	CHECK_ERR(setattr_(AT_FDCWD, "a", 0, 0x30, A__ATIME, 0), EINVAL);
	CHECK_ERR(setattr_(AT_FDCWD, "a", 0, 0, 0, MS_SHARED | MS_PRIVATE), EINVAL);
	CHECK_ERR(setattr_(AT_FDCWD, "a", 0, 0, 0, MS_BIND), EINVAL);
	CHECK_OK(setattr_(999, "nosuch", 0, 0, 0, 0));		/* nothing to do: not even looked for */
	CHECK_ERR(syscall(SYS_mount_setattr, AT_FDCWD, "a", 0, &a, 31), EINVAL);
	CHECK_ERR(syscall(SYS_mount_setattr, AT_FDCWD, "a", 0, big, 5000), E2BIG);
	CHECK_ERR(syscall(SYS_mount_setattr, AT_FDCWD, "a", 0, (void *)1, 32), EFAULT);
	memcpy(big, &a, sizeof(a));
	CHECK_OK(syscall(SYS_mount_setattr, AT_FDCWD, "a", 0, big, 64));
	big[40] = 1;
	CHECK_ERR(syscall(SYS_mount_setattr, AT_FDCWD, "a", 0, big, 64), E2BIG);
}

/* In a user namespace of one's own: one's own mounts, but no rights back on those from outside. */
TEST(user_namespace)
{
	int fd, ns;

	need_root();
	CHECK_OK(mount("none", "a", "tmpfs", MS_NOSUID | MS_RDONLY, NULL));
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS))
		SKIP("no user namespaces here");
	CHECK_ERR(setattr_(AT_FDCWD, "a", 0, 0, A_RDONLY, 0), EPERM);
	CHECK_OK(setattr_(AT_FDCWD, "a", 0, A_NOEXEC, 0, 0));
	fd = CHECK_OK(open_tree_(AT_FDCWD, "a", T_TREE_CLONE));
	CHECK_ERR(setattr_(fd, "", AT_EMPTY_PATH, 0, A_NOSUID, 0), EPERM);
	close(fd);
	ns = fsopen_("ext4", 0);		/* trusts its device's data: only root's */
	if (ns >= 0) {
		CHECK_OK(fsconfig_(ns, SET_STRING, "source", "/dev/null", 0));
		CHECK_ERR(fsconfig_(ns, CREATE, NULL, NULL, 0), EPERM);
	}
	fd = new_tmpfs(0);
	CHECK_OK(move_mount_(fd, "", AT_FDCWD, "b", T_F_EMPTY));
	CHECK_EQ(flags_of("b") & ST_RDONLY, 0);
}

TEST(not_root)
{
	struct m_attr a = { 0 };

	need_root();
	CHECK_OK(chmod(".", 0755));
	CHECK_OK(setuid(65534));
	CHECK_ERR(fsopen_("tmpfs", 0), EPERM);
	CHECK_ERR(fsmount_(-1, 0, 0), EPERM);
	CHECK_ERR(fspick_(AT_FDCWD, ".", 0), EPERM);
	CHECK_ERR(open_tree_(AT_FDCWD, ".", T_TREE_CLONE), EPERM);
	close(CHECK_OK(open_tree_(AT_FDCWD, ".", 0)));
	CHECK_ERR(move_mount_(-1, "", -1, "", 0), EPERM);
	CHECK_ERR(syscall(SYS_mount_setattr, AT_FDCWD, ".", 0, &a, 32), EPERM);
}
