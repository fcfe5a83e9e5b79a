/*
 * getpid_is_tgid: every thread has a number of its own, and getpid() does not return it.
 *
 * Seeds:  000 §9.2.2 and 001 §3.2: "pid: each task_struct has a different one"; "tgid: the pid of the thread group's leader";
 *         "getpid() in fact returns the tgid".
 * Expect: four threads have four different gettid(), all the same getpid(), which is the gettid() of main; /proc/self/task
 *         lists exactly those four.  A fork()ed child is the leader of a new group: its getpid() is its own gettid() again,
 *         even when a thread other than main forks; process group and session stay those of the parent.
 */
#include "lesson.h"
#include <dirent.h>

#define THREADS 3

struct identity { pid_t tgid, tid; };

static struct identity seen[THREADS];
static struct identity *forked;			/* shared with the child */
static pthread_barrier_t all_here, all_counted;

static void *thread(void *arg)
{
	struct identity *me = arg;

	me->tgid = getpid();
	me->tid = tid_now();
	pthread_barrier_wait(&all_here);
	pthread_barrier_wait(&all_counted);
	return NULL;
}

static void *forking_thread(void *arg)
{
	pid_t pid = child();

	(void)arg;
	if (!pid) {
		*forked = (struct identity){ getpid(), tid_now() };
		_exit(getppid() != 0 && getpgrp() == getpgid(getppid()) && getsid(0) == getsid(getppid()) ? 0 : 1);
	}
	must(reap(pid) == 0, "the child is in another process group or session than its parent");
	must(forked->tgid == pid, "the child's getpid() is %d, fork() said %d", forked->tgid, pid);
	return NULL;
}

static int count_tasks(void)
{
	DIR *dir = opendir("/proc/self/task");
	struct dirent *d;
	int n = 0;

	must(dir, "/proc/self/task: %s", strerror(errno));
	while ((d = readdir(dir)))
		n += d->d_name[0] != '.';
	closedir(dir);
	return n;
}

/* What the kernel itself writes about a thread: "Tgid:" and "Pid:" of its status. */
static void check_status(pid_t tid)
{
	char path[64], text[4096];

	snprintf(path, sizeof(path), "/proc/self/task/%d/status", tid);
	must(slurp(path, text, sizeof(text)), "%s cannot be read", path);
	must(field(text, "Pid") == tid, "%s says Pid: %ld", path, field(text, "Pid"));
	must(field(text, "Tgid") == getpid(), "%s says Tgid: %ld", path, field(text, "Tgid"));
}

int main(void)
{
	pthread_t t[THREADS], f;

	forked = shared(PAGE);
	pok(pthread_barrier_init(&all_here, NULL, THREADS + 1));
	pok(pthread_barrier_init(&all_counted, NULL, THREADS + 1));
	for (int i = 0; i < THREADS; i++)
		pok(pthread_create(&t[i], NULL, thread, &seen[i]));
	pthread_barrier_wait(&all_here);

	printf("main:     getpid() %d, gettid() %d\n", getpid(), tid_now());
	must(getpid() == tid_now(), "main is not the leader of its own group");
	check_status(tid_now());
	for (int i = 0; i < THREADS; i++) {
		printf("thread %d: getpid() %d, gettid() %d\n", i + 1, seen[i].tgid, seen[i].tid);
		must(seen[i].tgid == getpid(), "a thread has another getpid()");
		must(seen[i].tid != getpid(), "a thread has main's gettid()");
		for (int k = 0; k < i; k++)
			must(seen[i].tid != seen[k].tid, "two threads have one gettid()");
		check_status(seen[i].tid);
	}
	printf("/proc/self/task lists %d tasks\n", count_tasks());
	must(count_tasks() == THREADS + 1, "/proc/self/task should list %d", THREADS + 1);
	pthread_barrier_wait(&all_counted);
	for (int i = 0; i < THREADS; i++)
		pok(pthread_join(t[i], NULL));

	pok(pthread_create(&f, NULL, forking_thread, NULL));
	pok(pthread_join(f, NULL));
	printf("child:    getpid() %d, gettid() %d: a new group, though not main forked it\n", forked->tgid, forked->tid);
	must(forked->tgid == forked->tid && forked->tgid != getpid(), "the child does not lead a group of its own");
	shown();
}
