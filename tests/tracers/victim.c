/*
 * victim.c: the program that tracers.sh looks at with strace and gdb.  victim run | rest | crash
 *
 * run:    two threads make one step each; a child runs another program; a signal is handled; the exit status is 3.
 * rest:   says "ready", then two threads and the leader sleep until the file /tmp/victim.stop is there.
 * crash:  the same two threads, and a third one that follows a null pointer.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static volatile int counter;
static volatile int resting_threads;

static void say(const char *text)
{
	if (write(1, text, strlen(text)) < 0)
		_exit(9);
}

__attribute__((noinline)) int step(int n)
{
	pthread_mutex_lock(&lock);
	counter += n;
	pthread_mutex_unlock(&lock);
	return 10 * n;
}

static void *worker(void *arg)
{
	int n = (int)(long)arg;
	char text[20];

	snprintf(text, sizeof(text), "thread %d\n", n);
	say(text);
	return (void *)(long)step(n);
}

static void on_signal(int sig)
{
	say("handled\n");
}

static int run(void)
{
	pthread_t t[2];
	void *sum[2];
	int status, fd = open("/nonexistent", O_RDONLY);
	pid_t pid;

	for (long i = 0; i < 2; i++)
		pthread_create(&t[i], NULL, worker, (void *)(i + 1));
	for (int i = 0; i < 2; i++)
		pthread_join(t[i], &sum[i]);
	signal(SIGUSR1, on_signal);
	raise(SIGUSR1);
	pid = fork();
	if (!pid) {
		execl("/bin/true", "true", (char *)NULL);
		_exit(127);
	}
	waitpid(pid, &status, 0);
	printf("parent %d, counter %d, sum %ld\n", getppid(), counter, (long)sum[0] + (long)sum[1]);
	return fd < 0 && !status ? 3 : 4;
}

__attribute__((noinline)) void rest(int n)
{
	struct timespec ts = { 0, 20000000 };

	__atomic_add_fetch(&resting_threads, 1, __ATOMIC_SEQ_CST);
	while (access("/tmp/victim.stop", F_OK))
		nanosleep(&ts, NULL);
}

static void *sleeper(void *arg)
{
	rest((int)(long)arg);
	return NULL;
}

__attribute__((noinline)) int follow(int *p)
{
	return *p;
}

static void *faller(void *arg)
{
	return (void *)(long)follow(arg);
}

static void start_sleepers(void)
{
	pthread_t t;

	for (long i = 1; i <= 2; i++)
		pthread_create(&t, NULL, sleeper, (void *)i);
	while (resting_threads < 2)
		usleep(1000);
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	pthread_t t;

	unlink("/tmp/victim.stop");
	if (!strcmp(what, "run"))
		return run();
	start_sleepers();
	if (!strcmp(what, "rest")) {
		say("ready\n");
		rest(0);
		return 0;
	}
	pthread_create(&t, NULL, faller, NULL);
	pthread_join(t, NULL);
	return 1;
}
