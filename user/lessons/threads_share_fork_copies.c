/*
 * threads_share_fork_copies: a thread and a process differ only in what they share when they are made.
 *
 * Seeds:  000 §9.1: "the root of the difference is whether the address space is copied or shared at creation"; both come from
 *         clone(), by its flags.  003 "Linux's threads": fork makes an image, clone(CLONE_VM) shares memory.
 *         004: copy_mm() with CLONE_VM only adds one to mm_users.
 * Expect: one variable at one address.  What a pthread writes main sees; what a fork()ed child writes main does not see; what a
 *         child made by clone(CLONE_VM) writes main sees, although that child is a process with a pid of its own.
 *         On Weft /proc/self/mm shows mm_users go from 1 to 2 for the threads and stay 1 for the fork.
 */
#include "lesson.h"

static volatile int number;
static volatile int *on_heap;
static long users_with_thread, users_with_clone;

/* Weft only: -1 elsewhere. */
static long mm_users(void)
{
	char text[2048];

	return slurp("/proc/self/mm", text, sizeof(text)) ? field(text, "mm_users") : -1;
}

static void *thread(void *arg)
{
	(void)arg;
	users_with_thread = mm_users();
	number = *on_heap = 2;
	return NULL;
}

static int cloned(void *arg)
{
	(void)arg;
	users_with_clone = mm_users();
	number = *on_heap = 4;
	syscall(SYS_exit, 0);			/* only this task: the C library's exit belongs to main */
	return 0;
}

int main(void)
{
	static char stack[65536] __attribute__((aligned(16)));
	long users = mm_users();
	pthread_t t;
	pid_t pid;

	on_heap = malloc(sizeof(*on_heap));
	number = *on_heap = 1;
	printf("main (pid %d): number = 1 at %p, and on the heap at %p\n", getpid(), (void *)&number, (void *)on_heap);

	pok(pthread_create(&t, NULL, thread, NULL));
	pok(pthread_join(t, NULL));
	printf("a thread wrote 2 there: main reads %d and %d\n", number, *on_heap);
	must(number == 2 && *on_heap == 2, "main does not see what its thread wrote");

	pid = child();
	if (!pid) {
		bool same = number == 2 && *on_heap == 2;	/* it starts with a copy */

		number = *on_heap = 3;
		_exit(same && number == 3 && *on_heap == 3 ? 0 : 1);
	}
	must(reap(pid) == 0, "the child did not start with a copy of main's memory");
	printf("a fork (pid %d) wrote 3 at the same addresses: main still reads %d and %d\n", pid, number, *on_heap);
	must(number == 2 && *on_heap == 2, "main sees what a fork wrote");

	pid = ok(clone(cloned, stack + sizeof(stack), CLONE_VM | SIGCHLD, NULL));
	must(reap(pid) == 0, "the task made by clone(CLONE_VM) failed");
	printf("clone(CLONE_VM) (pid %d, a process of its own) wrote 4: main reads %d and %d\n", pid, number, *on_heap);
	must(pid != getpid() && number == 4 && *on_heap == 4, "main does not see what clone(CLONE_VM) wrote");

	if (users >= 0) {
		printf("mm_users: %ld alone, %ld with the thread, %ld with the clone(CLONE_VM)\n",
		       users, users_with_thread, users_with_clone);
		must(users_with_thread > users && users_with_clone > users, "mm_users does not count who shares the space");
	}
	shown();
}
