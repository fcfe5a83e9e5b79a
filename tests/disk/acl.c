/*
 * acl.c DIR: access control lists in a folder of an ext file system, as root.  Prints a line for each case; runs on Linux too.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#define ACCESS	"system.posix_acl_access"
#define DEFAULT	"system.posix_acl_default"
enum { USER_OBJ = 1, USER = 2, GROUP_OBJ = 4, GROUP = 8, MASK = 16, OTHER = 32 };

struct list {
	uint32_t	version;
	struct {
		uint16_t	tag, perm;
		uint32_t	id;
	} e[6];
};
#define SIZE(n)	(4 + 8 * (n))
#define NOBODY	0xffffffffu

static int failed;

static void report(const char *name, int ok)
{
	printf(ok ? "ok acl/%s\n" : "not ok acl/%s: errno %d\n", name, errno);
	failed += !ok;
}

/* May this user open it so? */
static int may(uid_t uid, gid_t gid, const char *path, int flags)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		if (setgid(gid) || setuid(uid))
			_exit(2);
		_exit(open(path, flags) < 0);
	}
	return waitpid(pid, &status, 0) == pid && status == 0;
}

static mode_t mode_of(const char *path)
{
	struct stat st;

	return lstat(path, &st) ? 07777 : st.st_mode & 07777;
}

static void access_list(void)
{
	struct list l = { 2, { { USER_OBJ, 6, NOBODY }, { USER, 6, 1000 }, { GROUP_OBJ, 0, NOBODY }, { GROUP, 4, 500 },
			       { MASK, 4, NOBODY }, { OTHER, 0, NOBODY } } }, back;

	close(open("f", O_CREAT | O_WRONLY, 0600));
	report("nobody_but_the_owner", !may(1000, 1000, "f", O_RDONLY));
	report("set", !setxattr("f", ACCESS, &l, SIZE(6), 0));
	report("mode_shows_the_mask", mode_of("f") == 0640);
	report("named_user", may(1000, 1000, "f", O_RDONLY));
	report("mask_limits_him", !may(1000, 1000, "f", O_RDWR));
	report("named_group", may(1001, 500, "f", O_RDONLY) && !may(1001, 500, "f", O_WRONLY));
	report("others", !may(1001, 1001, "f", O_RDONLY));
	report("get", getxattr("f", ACCESS, &back, sizeof(back)) == SIZE(6) && !memcmp(&l, &back, SIZE(6)));
	report("chmod_sets_the_mask", !chmod("f", 0660) && may(1000, 1000, "f", O_RDWR));
	report("chmod_shuts", !chmod("f", 0600) && !may(1000, 1000, "f", O_RDONLY) &&
	       getxattr("f", ACCESS, &back, sizeof(back)) == SIZE(6) && back.e[4].perm == 0 && back.e[1].perm == 6);
	report("removed", !removexattr("f", ACCESS) && getxattr("f", ACCESS, &back, sizeof(back)) == -1 && errno == ENODATA);
	l.e[4].tag = OTHER;
	report("two_of_a_kind", setxattr("f", ACCESS, &l, SIZE(6), 0) == -1 && errno == EINVAL);
	l.e[4].tag = 3;
	report("bad_tag", setxattr("f", ACCESS, &l, SIZE(6), 0) == -1 && errno == EINVAL);
	report("no_mask", setxattr("f", ACCESS, &l, SIZE(4), 0) == -1 && errno == EINVAL);
	l = (struct list){ 2, { { USER_OBJ, 6, NOBODY }, { GROUP_OBJ, 4, NOBODY }, { OTHER, 0, NOBODY } } };
	report("as_good_as_a_mode", !setxattr("f", ACCESS, &l, SIZE(3), 0) && mode_of("f") == 0640 &&
	       getxattr("f", ACCESS, &back, sizeof(back)) == -1 && errno == ENODATA);
	report("default_of_a_file", setxattr("f", DEFAULT, &l, SIZE(3), 0) == -1 && errno == EACCES);
}

static void default_list(void)
{
	struct list l = { 2, { { USER_OBJ, 7, NOBODY }, { USER, 7, 1000 }, { GROUP_OBJ, 5, NOBODY }, { MASK, 7, NOBODY },
			       { OTHER, 0, NOBODY } } }, back;

	umask(077);
	mkdir("d", 0777);
	chmod("d", 0711);
	report("default_set", !setxattr("d", DEFAULT, &l, SIZE(5), 0) && mode_of("d") == 0711);
	close(open("d/f", O_CREAT | O_WRONLY, 0666));
	report("inherited_instead_of_umask", mode_of("d/f") == 0660);
	report("inherited", getxattr("d/f", ACCESS, &back, sizeof(back)) == SIZE(5) && back.e[3].perm == 6 && back.e[1].id == 1000);
	report("inherited_is_honoured", may(1000, 1000, "d/f", O_RDWR) && !may(1001, 1001, "d/f", O_RDONLY));
	mkdir("d/d", 0750);
	report("directory_gets_both", mode_of("d/d") == 0750 && getxattr("d/d", DEFAULT, &back, sizeof(back)) == SIZE(5) &&
	       getxattr("d/d", ACCESS, &back, sizeof(back)) == SIZE(5) && back.e[3].perm == 5);
	symlink("f", "d/l");
	report("no_list_of_a_link", lgetxattr("d/l", ACCESS, &back, sizeof(back)) == -1 && errno == EOPNOTSUPP);
	report("default_removed", !removexattr("d", DEFAULT));
	close(open("d/g", O_CREAT | O_WRONLY, 0666));
	report("umask_again", mode_of("d/g") == 0600 && getxattr("d/g", ACCESS, &back, sizeof(back)) == -1 && errno == ENODATA);
}

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc < 2 || chdir(argv[1]))
		return 2;
	umask(022);
	access_list();
	default_list();
	return failed != 0;
}
