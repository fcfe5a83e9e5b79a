/*
 * cgroup_tools.h: groups as the test programs of control groups handle them: files by name below the case's own group.
 *
 * What:    at() names a file below `base`, put() and get() write and read it; find_hierarchy() at a case's begin, teardown()
 *          at its end, which kills what is left in the case's groups.  get()'s text is good for three more calls.
 */
#ifndef CGROUP_TOOLS_H
#define CGROUP_TOOLS_H

#include "t.h"
#include <dirent.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/vfs.h>

#define CGROUP2_MAGIC 0x63677270

static char base[200];			/* the case's own group */
static char hierarchy[100];

static inline char *at(const char *file)
{
	static char path[8][400];
	static int next;
	char *p = path[next++ % 8];

	snprintf(p, 400, "%s/%s", base, file);
	return p;
}

static inline int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY), err;
	ssize_t n;

	if (fd < 0)
		return -1;
	n = write(fd, text, strlen(text));
	err = errno;
	close(fd);
	errno = err;
	return n < 0 ? -1 : 0;
}

static inline int put(const char *file, const char *text) { return write_file(at(file), text); }

static inline int put_pid(const char *file, pid_t pid)
{
	char text[20];

	snprintf(text, sizeof(text), "%d", pid);
	return put(file, text);
}

static inline const char *get_path(const char *path)
{
	static char text[4][4096];
	static int next;
	char *p = text[next++ % 4];
	int fd = open(path, O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, p, 4095);

	if (fd >= 0)
		close(fd);
	p[n < 0 ? 0 : n] = 0;
	return n < 0 ? NULL : p;
}

static inline const char *get(const char *file)
{
	const char *text = get_path(at(file));

	if (!text)
		FAIL("%s: %s", at(file), strerror(errno));
	return text;
}

/* The number behind a key of a file. */
static inline long long get_key(const char *file, const char *key)
{
	const char *p = get(file);
	size_t len = strlen(key);

	for (; p && *p; p = strchr(p, '\n') ? strchr(p, '\n') + 1 : NULL)
		if (!strncmp(p, key, len) && p[len] == ' ')
			return atoll(p + len + 1);
	FAIL("%s has no %s", file, key);
}

/* Where cgroup2 is mounted; mounts it where it is not.  For root; a case that cannot have it is skipped. */
static inline void find_hierarchy(void)
{
	static const char *const places[] = { "/sys/fs/cgroup/unified", "/sys/fs/cgroup" };
	struct statfs fs;

	if (getuid())
		SKIP("not root");
	for (int i = 0; i < 2 && !hierarchy[0]; i++)
		if (!statfs(places[i], &fs) && fs.f_type == CGROUP2_MAGIC)
			strcpy(hierarchy, places[i]);
	if (!hierarchy[0]) {
		if (mount("none", "/sys/fs/cgroup", "cgroup2", 0, NULL))
			SKIP("no cgroup2 here: %s", strerror(errno));
		strcpy(hierarchy, "/sys/fs/cgroup");
	}
}

static inline void clean(const char *dir)
{
	char path[600];
	struct dirent *e;
	DIR *d = opendir(dir);

	while (d && (e = readdir(d))) {
		if (e->d_type != DT_DIR || e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		clean(path);
	}
	if (d)
		closedir(d);
	snprintf(path, sizeof(path), "%s/cgroup.kill", dir);
	write_file(path, "1");
	for (int i = 0; i < 1000 && rmdir(dir) && errno == EBUSY; i++)
		t_sleep_ms(10);
}

static inline void teardown(void) { clean(base); }

#endif
