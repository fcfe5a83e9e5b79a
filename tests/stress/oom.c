/*
 * oom.c: processes that take all memory.  oom SECONDS
 *
 * The machine must stay up: who takes too much dies of SIGKILL, the parent (small, and the one who asked) lives, and
 * memory comes back.  Three ways to take it: anonymous pages, files in /tmp (which a signal does not free, so they are
 * removed after), and a shared mapping.  Does nothing on a machine with more than 2 GiB: that would hurt a real one.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void eat_anonymous(void)
{
	for (;;) {
		char *p = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (p == MAP_FAILED)
			_exit(3);
		memset(p, 1, 1 << 20);
	}
}

static void eat_shared(void)
{
	size_t len = 4ULL << 30;
	char *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		_exit(3);
	for (size_t i = 0; i < len; i += 4096)
		p[i] = 1;
	_exit(4);
}

static void eat_forks(void)
{
	for (int i = 0; i < 4; i++)
		if (!fork())
			eat_anonymous();
	while (wait(NULL) > 0)
		;
	_exit(3);
}

int main(int argc, char **argv)
{
	static void (*const ways[])(void) = { eat_anonymous, eat_shared, eat_forks };
	double seconds = argc > 1 ? atof(argv[1]) : 10;
	time_t end = time(NULL) + (time_t)seconds;
	unsigned long free_before;
	struct sysinfo si;
	int i = 0;

	sysinfo(&si);
	if (si.totalram * si.mem_unit > 2UL << 30) {
		printf("oom: not on a machine this large\n");
		return 0;
	}
	free_before = si.freeram * si.mem_unit >> 20;
	do {
		int status;
		pid_t pid = fork();

		if (pid < 0) {
			printf("oom: fork: %s\n", strerror(errno));
			return 1;
		}
		if (!pid)
			ways[i % 3]();
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
		if (!(WIFSIGNALED(status) && (WTERMSIG(status) == SIGKILL || WTERMSIG(status) == SIGBUS)) &&
		    !(WIFEXITED(status) && WEXITSTATUS(status) == 3)) {
			printf("oom: the eater ended with %#x\n", status);
			return 1;
		}
		i++;
	} while (i < 3 || time(NULL) < end);
	for (int wait_s = 0; wait_s < 30; wait_s++) {
		sysinfo(&si);
		if ((si.freeram * si.mem_unit >> 20) + 16 >= free_before) {
			printf("oom: %d eaters, memory is back\n", i);
			return 0;
		}
		sleep(1);
	}
	printf("oom: %lu MiB free, %lu before\n", (unsigned long)(si.freeram * si.mem_unit >> 20), free_before);
	return 1;
}
