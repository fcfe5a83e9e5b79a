/*
 * fuzz.c: system calls with random numbers and arguments from a user without rights.  fuzz SECONDS [CALLS] [SEED]
 *
 * The arguments are of the kind that find faults: small numbers, huge ones, valid and invalid pointers, edges of areas,
 * open descriptors.  The children that make the calls may die of what they did; the kernel must not.  The parent checks
 * at the end that the machine still works.  Left out are only the calls that by design end or stop the caller's world.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static uint64_t state;
static uint64_t rnd(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

static char *good, *readonly_page;

static uint64_t argument(void)
{
	static const uint64_t special[] = {
		0, 1, 2, 3, (uint64_t)-1, (uint64_t)-2, 0x7fffffff, 0x80000000, 0xffffffff, 0x100000000, 4095, 4096, 4097,
		0x7fffffffffff, 0x800000000000, 0x7ffffffff000, 0xffff800000000000, 0xffffffff80000000, 0xffff888000000000,
		0x7fffffffffffffff, 0x8000000000000000, (uint64_t)-4096, (uint64_t)-4095, -100,
	};

	switch (rnd() % 8) {
	case 0: return special[rnd() % (sizeof(special) / sizeof(special[0]))];
	case 1: return (uint64_t)good + rnd() % 8192;
	case 2: return (uint64_t)good + 8192 - rnd() % 64;	/* over the end of the mapping */
	case 3: return (uint64_t)readonly_page + rnd() % 4096;
	case 4: return rnd() % 16;				/* descriptors, flags, modes */
	case 5: return 1ULL << rnd() % 64;
	case 6: return rnd() % 4096;
	default: return rnd();
	}
}

static int allowed(long nr)
{
	switch (nr) {
	case SYS_exit: case SYS_exit_group: case SYS_rt_sigreturn: case SYS_fork: case SYS_vfork: case SYS_clone:
	case SYS_clone3: case SYS_pause: case SYS_rt_sigsuspend: case SYS_kill: case SYS_tkill: case SYS_tgkill:
	case SYS_reboot: case SYS_munmap: case SYS_setrlimit: case SYS_prlimit64: case SYS_alarm: case SYS_setitimer:
	case SYS_rt_sigprocmask: case SYS_rt_sigtimedwait: case SYS_rt_sigqueueinfo: case SYS_rt_tgsigqueueinfo:
	case SYS_pidfd_send_signal: case SYS_vhangup:
		return 0;
	default:
		return 1;
	}
}

static void open_things(void)
{
	int sv[2];

	(void)!pipe(sv);
	socketpair(AF_UNIX, SOCK_STREAM, 0, sv);
	(void)open("/proc/self/status", O_RDONLY);
	(void)open("/dev/null", O_RDWR);
	(void)open("/tmp", O_RDONLY | O_DIRECTORY);
}

static void child(uint64_t seed, int calls)
{
	state = seed * 0x9e3779b97f4a7c15ULL + 1;
	signal(SIGALRM, SIG_DFL);
	setrlimit(RLIMIT_AS, &(struct rlimit){ 256 << 20, 256 << 20 });
	setrlimit(RLIMIT_NPROC, &(struct rlimit){ 200, 200 });
	setrlimit(RLIMIT_FSIZE, &(struct rlimit){ 1 << 20, 1 << 20 });
	if (chdir("/tmp") || setgroups(0, NULL) || setgid(65534) || setuid(65534))
		if (!getuid())
			_exit(2);
	good = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	munmap(good + 8192, 4096);
	readonly_page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (int i = 0; i < 8192; i += 8)
		*(uint64_t *)(good + i) = rnd() % 3 ? rnd() % 64 : argument();
	close(0);
	close(1);
	close(2);
	open_things();
	alarm(5);			/* a call that blocks is no fault */
	for (int i = 0; i < calls; i++) {
		long nr = rnd() % 452;

		if (allowed(nr))
			syscall(nr, argument(), argument(), argument(), argument(), argument(), argument());
	}
	_exit(0);
}

int main(int argc, char **argv)
{
	double seconds = argc > 1 ? atof(argv[1]) : 10;
	int calls = argc > 2 ? atoi(argv[2]) : 20000, per_child = 200, made = 0, died = 0;
	uint64_t seed = argc > 3 ? strtoull(argv[3], NULL, 0) : 1;
	time_t end = time(NULL) + (time_t)seconds * 40 + 60;

	setvbuf(stdout, NULL, _IOLBF, 0);
	while (made < calls && time(NULL) < end) {
		int status;
		pid_t pid = fork();

		if (pid < 0) {
			printf("fork after %d calls: %s\n", made, strerror(errno));
			return 1;
		}
		if (!pid)
			child(seed, per_child);
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
		if (WIFEXITED(status) && WEXITSTATUS(status) == 2) {
			printf("could not give up rights\n");
			return 1;
		}
		died += WIFSIGNALED(status);
		made += per_child;
		seed++;
	}
	/* The machine still does its work. */
	if (system("f=/tmp/fuzz.alive.$$; echo alive > $f && grep -q alive $f && rm $f")) {	/* many may run at once */
		printf("the shell does not work any more\n");
		return 1;
	}
	printf("fuzz: %d calls, %d of %d callers died of theirs\n", made, died, made / per_child);
	return made >= calls || time(NULL) >= end ? 0 : 1;
}
