/*
 * tracing.c: tracers against everything that a tracee can do at the same moment.  tracing SECONDS [NAME...]
 *
 * Each storm keeps a process of a few busy threads alive and, in another process, a tracer that seizes, attaches to, stops,
 * steps, reads and lets go of them at random, while they exit, exec (the leader or another thread), fork, take signals, stop
 * and continue each other; or the tracer itself is killed.  What must stay true: nobody hangs, every child is reaped, and
 * a tracee that was let go still does its work.  Most faults show up as a kernel report.  Exit status 0: everything held.
 * Runs on Linux as well.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define THREADS	4

static double deadline;
#define SHARED_FD	100	/* what tids[] lies in, across execve */
static pid_t *tids;		/* shared with the victims: who may be traced */
static bool gentle;		/* the victim must live: no options that kill it, no steps (a tracer's end in one is a SIGTRAP) */

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

static bool time_left(void) { return now() < deadline; }

static unsigned int seed;
static unsigned int rnd(unsigned int n)
{
	seed = seed * 1103515245 + 12345;
	return (seed >> 8) % n;
}

static void __attribute__((noreturn)) die(const char *what)
{
	printf("%s: %s\n", what, strerror(errno));
	fflush(stdout);
	_exit(1);
}

/* ---- victims: processes that do one thing again and again, until they are killed ---- */

static void *spin(void *arg)
{
	tids[(long)arg] = gettid();
	for (;;) {
		getppid();
		sched_yield();
	}
	return NULL;
}

static void spin_in_threads(void)
{
	pthread_t t;

	for (long i = 1; i < THREADS; i++)
		pthread_create(&t, NULL, spin, (void *)i);
	spin(NULL);
}

/* Threads that live shortly. */
static void *leave(void *arg)
{
	tids[(long)arg] = gettid();
	sched_yield();
	return NULL;
}

static void exits(void)
{
	tids[0] = getpid();
	for (int n = 0; n < 50; n++) {
		pthread_t t[THREADS];

		for (long i = 1; i < THREADS; i++)
			if (pthread_create(&t[i], NULL, leave, (void *)i))
				die("pthread_create");
		for (long i = 1; i < THREADS; i++)
			pthread_join(t[i], NULL);
	}
	_exit(0);
}

/* The program runs itself: "tracing --again" starts the same again with one less to go. */
static void exec_again(int left)
{
	char number[12];

	snprintf(number, sizeof(number), "%d", left);
	if (!left)
		_exit(0);
	execl("/proc/self/exe", "tracing", "--again", number, (char *)NULL);
	_exit(0);		/* killed on the way by another thread's execve */
}

static int execs_left = 10;
static void *exec_in_thread(void *arg)
{
	sched_yield();
	exec_again(execs_left - 1);
	return arg;
}

/* The leader or another thread, while the rest spins. */
static void execs(void)
{
	pthread_t t;

	seed = getpid() * 31 + execs_left;
	tids[0] = getpid();
	for (long i = 1; i < THREADS - 1; i++)
		pthread_create(&t, NULL, spin, (void *)i);
	if (rnd(2))
		pthread_create(&t, NULL, exec_in_thread, NULL);
	else
		exec_again(execs_left - 1);
	for (;;)
		sched_yield();
}

static volatile sig_atomic_t handled;
static void handler(int sig) { handled++; }

static void *signals_others(void *arg)
{
	tids[(long)arg] = gettid();
	for (;;) {
		int sig = (int[]){ SIGUSR1, SIGUSR2, SIGSTOP, SIGCONT, SIGCONT, SIGTSTP, SIGCHLD }[rnd(7)];
		pid_t tid = tids[rnd(THREADS)];

		if (tid)
			tgkill(getpid(), tid, sig);
		if (rnd(8) == 0)
			kill(getpid(), SIGCONT);
		sched_yield();
	}
	return NULL;
}

static void *continues(void *arg)
{
	pid_t pid = (pid_t)(long)arg;

	while (!kill(pid, SIGCONT))
		usleep(2000);
	_exit(0);
}

static void signals(void)
{
	pthread_t t;
	pid_t pid = getpid();

	signal(SIGUSR1, handler);
	signal(SIGUSR2, handler);
	signal(SIGCHLD, SIG_IGN);
	if (!fork()) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != pid)
			_exit(0);
		continues((void *)(long)pid);
	}
	for (long i = 1; i < THREADS; i++)
		pthread_create(&t, NULL, signals_others, (void *)i);
	signals_others(NULL);
}

static void forks(void)
{
	tids[0] = getpid();
	for (int n = 0; n < 40; n++) {
		pid_t pid = rnd(3) ? fork() : vfork();

		if (!pid)
			_exit(0);
		while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	_exit(0);
}

static void faults(void)
{
	if (fork() > 0) {
		tids[0] = getpid();
		wait(NULL);
		_exit(0);
	}
	tids[1] = getpid();
	for (volatile int i = 0; i < 1000; i++)
		getppid();
	__builtin_trap();
}

/* ---- the tracer ---- */

static unsigned long options(void)
{
	return rnd(128) | (gentle || rnd(4) ? 0 : PTRACE_O_EXITKILL);
}

static void poke_about(pid_t tid)
{
	struct user_regs_struct regs;
	struct iovec iov = { &regs, sizeof(regs) };
	unsigned long message;
	siginfo_t si;

	switch (rnd(7)) {
	case 0:
		if (!ptrace(PTRACE_GETREGS, tid, 0, &regs))
			ptrace(PTRACE_SETREGS, tid, 0, &regs);
		break;
	case 1: ptrace(PTRACE_GETREGSET, tid, 2, &iov); break;
	case 2: ptrace(PTRACE_GETSIGINFO, tid, 0, &si); break;
	case 3: ptrace(PTRACE_PEEKDATA, tid, &seed, 0); break;
	case 4: ptrace(PTRACE_POKEDATA, tid, &message, 0); break;
	case 5: ptrace(PTRACE_GETEVENTMSG, tid, 0, &message); break;
	case 6: ptrace(PTRACE_SETOPTIONS, tid, 0, PTRACE_O_TRACESYSGOOD | options()); break;
	}
}

static void let_go_on(pid_t tid, int status)
{
	static const int how[] = { PTRACE_CONT, PTRACE_CONT, PTRACE_SYSCALL, PTRACE_SINGLESTEP, PTRACE_LISTEN, PTRACE_DETACH };
	int sig = WSTOPSIG(status), request = how[rnd(6)];

	if (gentle && request == PTRACE_SINGLESTEP)
		request = PTRACE_SYSCALL;
	/* A stop that is no signal's delivery takes none, and SIGTRAP is our own. */
	if (status >> 16 || (sig & 0x7f) == SIGTRAP)
		sig = 0;
	if (ptrace(request, tid, 0, request == PTRACE_LISTEN ? 0 : sig) && request == PTRACE_LISTEN)
		ptrace(PTRACE_CONT, tid, 0, sig);
}

/* Traces what is in tids[] for a while. */
static void trace(void)
{
	double end = now() + 0.2 + rnd(100) / 100.0;
	int status;
	pid_t tid;

	while (now() < end) {
		tid = tids[rnd(THREADS)];
		switch (rnd(6)) {
		case 0: if (tid) ptrace(PTRACE_SEIZE, tid, 0, options()); break;
		case 1: if (tid) ptrace(PTRACE_ATTACH, tid, 0, 0); break;
		case 2: if (tid) ptrace(PTRACE_INTERRUPT, tid, 0, 0); break;
		case 3: if (tid) ptrace(PTRACE_DETACH, tid, 0, rnd(2) ? SIGCONT : 0); break;
		default:
			for (int n = 0; n < 20 && (tid = waitpid(-1, &status, __WALL | WNOHANG)) > 0; n++) {
				if (!WIFSTOPPED(status))
					continue;
				poke_about(tid);
				let_go_on(tid, status);
			}
		}
	}
	/* Some go in an orderly way, others leave all as it is. */
	if (rnd(2))
		_exit(0);
	kill(getpid(), SIGKILL);
}

/* ---- storms ---- */

static void start_tracer(pid_t *tracer, unsigned int s)
{
	*tracer = fork();
	if (*tracer < 0)
		die("fork");
	if (!*tracer) {
		seed = s;
		trace();
	}
}

static pid_t start_victim(void (*victim)(void), unsigned int s)
{
	pid_t pid;

	memset(tids, 0, 4096);
	pid = fork();
	if (pid < 0)
		die("fork");
	if (!pid) {
		setpgid(0, 0);
		seed = s;
		victim();
	}
	setpgid(pid, pid);
	return pid;
}

/* Victims one after the other, two tracers at a time; whoever ends is replaced. */
static void storm(void (*victim)(void))
{
	pid_t tracer[2], v, pid;
	unsigned int s = 1;
	double born = now();
	int status;

	v = start_victim(victim, s++);
	for (int i = 0; i < 2; i++)
		start_tracer(&tracer[i], s++);
	while (time_left()) {
		pid = waitpid(-1, &status, WNOHANG);
		if (pid < 0)
			die("wait");
		if (!pid)
			usleep(1000);
		for (int i = 0; i < 2; i++)
			if (pid == tracer[i])
				start_tracer(&tracer[i], s++);
		/* Two seconds are enough for one victim: those that never end are killed, stopped and traced as they are. */
		if (pid != v && now() - born > 2) {
			kill(-v, SIGKILL);
			kill(v, SIGKILL);
			while (waitpid(v, &status, 0) != v)
				if (errno != EINTR)
					die("wait for the victim");
			pid = v;
		}
		if (pid == v) {
			kill(-v, SIGKILL);
			v = start_victim(victim, s++);
			born = now();
		}
	}
	kill(-v, SIGKILL);
	kill(v, SIGKILL);
	for (int i = 0; i < 2; i++)
		kill(tracer[i], SIGKILL);
	while (wait(NULL) > 0 || errno == EINTR)
		;
}

/* A process whose tracers die and go all the time still does its work. */
static void survivor(void)
{
	long *count = (long *)(tids + 64);
	pid_t pid, tracer;
	int status;

	gentle = true;
	memset(tids, 0, 4096);
	pid = fork();
	if (!pid) {
		tids[0] = getpid();
		for (;;) {
			++*count;
			getppid();
		}
	}
	for (unsigned int s = 1; time_left(); s++) {
		long before;
		int i;

		start_tracer(&tracer, s);
		if (waitpid(tracer, &status, 0) != tracer)
			die("wait for a tracer");
		kill(pid, SIGCONT);		/* a tracer that attached may have left it stopped */
		before = __atomic_load_n(count, __ATOMIC_SEQ_CST);
		for (i = 0; i < 6000 && before == __atomic_load_n(count, __ATOMIC_SEQ_CST); i++)
			usleep(10000);
		if (i == 6000)
			die("the survivor does nothing any more");
		if (waitpid(pid, &status, WNOHANG))
			die("the survivor has died");
	}
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
}

static const struct { const char *name; void (*victim)(void); } storms[] = {
	{ "spin", spin_in_threads }, { "exit", exits }, { "exec", execs }, { "signal", signals }, { "fork", forks },
	{ "fault", faults }, { "survivor", NULL },
};
#define NSTORMS	((int)(sizeof(storms) / sizeof(storms[0])))

static bool wanted(int argc, char **argv, const char *name)
{
	for (int i = 2; i < argc; i++)
		if (!strcmp(argv[i], name))
			return true;
	return argc <= 2;
}

int main(int argc, char **argv)
{
	double seconds = argc > 1 ? atof(argv[1]) : 5;
	int n = 0;

	bool again = argc == 3 && !strcmp(argv[1], "--again");

	if (!again && (dup2(memfd_create("tids", 0), SHARED_FD) < 0 || ftruncate(SHARED_FD, 4096)))
		die("memfd");
	tids = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, SHARED_FD, 0);
	if (tids == MAP_FAILED)
		die("mmap");
	if (again) {
		execs_left = atoi(argv[2]);
		execs();
	}
	for (int i = 0; i < NSTORMS; i++)
		n += wanted(argc, argv, storms[i].name);
	for (int i = 0; i < NSTORMS; i++) {
		if (!wanted(argc, argv, storms[i].name))
			continue;
		deadline = now() + seconds / n;
		if (storms[i].victim)
			storm(storms[i].victim);
		else
			survivor();
		printf("tracing: %s held\n", storms[i].name);
		fflush(stdout);
	}
	return 0;
}
