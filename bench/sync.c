// Micro-benchmarks of what threads, sandboxes and rings cost: futexes, priority inheritance, seccomp, io_uring.
// Static binary; prints "mb NAME VALUE UNIT" (median of 7 repeats of >= 40 ms each). With arguments: only the figures named.
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/io_uring.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define REPEATS 7
#define MIN_NS 40000000ull

static int argc_;
static char **argv_;

static unsigned long long now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static int wanted(const char *name)
{
	for (int i = 1; i < argc_; i++)
		if (!strcmp(argv_[i], name))
			return 1;
	return argc_ < 2;
}

// The median time of one operation; body(n) does n * per of them.
static double measure(void (*body)(long n), long per)
{
	double got[REPEATS];
	long n = 1;

	for (;;) {
		unsigned long long t = now();
		body(n);
		t = now() - t;
		if (t >= MIN_NS)
			break;
		n = t < MIN_NS / 16 ? n * 8 : n * 2;
	}
	for (int i = 0; i < REPEATS; i++) {
		unsigned long long t = now();
		body(n);
		got[i] = (double)(now() - t) / n / per;
	}
	qsort(got, REPEATS, sizeof(*got), compare);
	return got[REPEATS / 2];
}

static void bench(const char *name, void (*body)(long n), long per)
{
	if (wanted(name))
		printf("mb %s %.3f ns\n", name, measure(body, per));
}

static long futex(unsigned *word, int op, unsigned value, void *timeout_or_count, unsigned *word2, unsigned value3)
{
	return syscall(SYS_futex, word, op | FUTEX_PRIVATE_FLAG, value, timeout_or_count, word2, value3);
}

// Futexes nobody waits for, and one whose value is not the one expected.
static unsigned word, other;

static void wake_nobody(long n)
{
	while (n--)
		futex(&word, FUTEX_WAKE, 1, NULL, NULL, 0);
}

static void wait_changed(long n)
{
	while (n--)
		futex(&word, FUTEX_WAIT, 1, NULL, NULL, 0);
}

static void requeue_nobody(long n)
{
	while (n--)
		futex(&word, FUTEX_CMP_REQUEUE, 1, (void *)1, &other, 0);
}

// PI: a lock and an unlock through the kernel without a rival (the word is made to look contended).
static void pi_alone(long n)
{
	while (n--) {
		__atomic_store_n(&word, 0, __ATOMIC_RELAXED);
		futex(&word, FUTEX_LOCK_PI, 0, NULL, NULL, 0);
		futex(&word, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0);
	}
	word = 0;
}

// Two threads take turns on one mutex: each hand-over is a wait and a wake.
static pthread_mutex_t lock;
static pthread_cond_t turned;
static int turn;

struct side { int me; long n; };

static void *take_turns(void *arg)
{
	struct side *s = arg;

	for (long i = 0; i < s->n; i++) {
		pthread_mutex_lock(&lock);
		while (turn != s->me)
			pthread_cond_wait(&turned, &lock);
		turn = !s->me;
		pthread_cond_signal(&turned);
		pthread_mutex_unlock(&lock);
	}
	return NULL;
}

static void turns(long n, int protocol)
{
	pthread_mutexattr_t attr;
	pthread_t rival;
	struct side a = { 0, n }, b = { 1, n };

	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setprotocol(&attr, protocol);
	pthread_mutex_init(&lock, &attr);
	pthread_cond_init(&turned, NULL);
	turn = 0;
	pthread_create(&rival, NULL, take_turns, &b);
	take_turns(&a);
	pthread_join(rival, NULL);
}

static void cond_turns(long n)
{
	turns(n, PTHREAD_PRIO_NONE);
}

static void cond_turns_pi(long n)
{
	turns(n, PTHREAD_PRIO_INHERIT);
}

// Contention. SCHED_FIFO, so that no thread is preempted by the one it wakes and every kernel runs the same sequence.
static void *in_real_time(void *(*body)(void *), long n)
{
	struct sched_param p = { 0 };

	body(&n);
	pthread_setschedparam(pthread_self(), SCHED_OTHER, &p);
	return NULL;
}

static void real_time(void)
{
	struct sched_param p = { .sched_priority = 10 };

	if (pthread_setschedparam(pthread_self(), SCHED_FIFO, &p))
		exit(1);
}

// Two threads that want one PI futex all the time: each unlock hands it to the other, who waits in the kernel.
static void *hand_over(void *arg)
{
	for (long n = *(long *)arg; n; n--) {
		futex(&word, FUTEX_LOCK_PI, 0, NULL, NULL, 0);
		futex(&word, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0);
	}
	return NULL;
}

static void pi_handover(long n)
{
	pthread_t rival;

	real_time();
	futex(&word, FUTEX_LOCK_PI, 0, NULL, NULL, 0);
	pthread_create(&rival, NULL, hand_over, &n);
	while (!(__atomic_load_n(&word, __ATOMIC_RELAXED) & FUTEX_WAITERS))
		sched_yield();
	futex(&word, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0);
	in_real_time(hand_over, n - 1);
	pthread_join(rival, NULL);
}

// Two threads fight for one mutex, each giving up the CPU while it holds it: the other blocks in the kernel.
static void *fight(void *arg)
{
	for (long n = *(long *)arg; n; n--) {
		pthread_mutex_lock(&lock);
		sched_yield();
		pthread_mutex_unlock(&lock);
	}
	return NULL;
}

static void mutex_contended(long n)
{
	pthread_t rival;

	real_time();
	pthread_mutex_init(&lock, NULL);
	pthread_create(&rival, NULL, fight, &n);
	in_real_time(fight, n);
	pthread_join(rival, NULL);
}

// io_uring: NOPs, `batch` of them for each io_uring_enter().
static struct ring {
	int fd;
	struct io_uring_sqe *sqes;
	unsigned *tail, *array, *cq_head, *cq_tail;
} ring;

static int ring_open(void)
{
	struct io_uring_params p = { 0 };
	char *map;

	ring.fd = syscall(SYS_io_uring_setup, 64, &p);
	if (ring.fd < 0)
		return -1;
	map = mmap(NULL, p.cq_off.cqes + p.cq_entries * sizeof(struct io_uring_cqe) + p.sq_entries * sizeof(unsigned),
		   PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring.fd, IORING_OFF_SQ_RING);
	ring.sqes = mmap(NULL, p.sq_entries * sizeof(struct io_uring_sqe), PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_POPULATE, ring.fd, IORING_OFF_SQES);
	if (map == MAP_FAILED || ring.sqes == MAP_FAILED)
		return -1;
	ring.tail = (unsigned *)(map + p.sq_off.tail);
	ring.array = (unsigned *)(map + p.sq_off.array);
	ring.cq_head = (unsigned *)(map + p.cq_off.head);
	ring.cq_tail = (unsigned *)(map + p.cq_off.tail);
	return 0;
}

static void nops(long n, unsigned batch)
{
	while (n--) {
		for (unsigned j = 0; j < batch; j++) {
			unsigned k = (*ring.tail + j) & 63;

			memset(&ring.sqes[k], 0, sizeof(ring.sqes[k]));
			ring.sqes[k].opcode = IORING_OP_NOP;
			ring.array[k] = k;
		}
		__atomic_store_n(ring.tail, *ring.tail + batch, __ATOMIC_RELEASE);
		syscall(SYS_io_uring_enter, ring.fd, batch, batch, IORING_ENTER_GETEVENTS, NULL, 0);
		__atomic_store_n(ring.cq_head, __atomic_load_n(ring.cq_tail, __ATOMIC_ACQUIRE), __ATOMIC_RELEASE);
	}
}

static void nop_1(long n)
{
	nops(n, 1);
}

static void nop_32(long n)
{
	nops(n, 32);
}

// seccomp: what a filter adds to one getppid(). The filter has the shape of libseccomp's and systemd's: the architecture,
// then one comparison for each of `rules` calls, getppid's the last; `by_argument` has its verdict depend on an argument.
static void getppid_with_argument(long n)
{
	while (n--)
		syscall(SYS_getppid, 1L);
}

static int filter(int rules, int by_argument)
{
	struct sock_filter code[128];
	int at = 0, allow = 4 + rules + 1 + (by_argument ? 2 : 0);

	code[at++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch));
	code[at++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0);
	code[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
	code[at++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
	for (int i = 0; i < rules; i++, at++)
		code[at] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 1000 + i, allow - at - 1, 0);
	code[at] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, allow - at - 1);
	at++;
	if (by_argument) {
		code[at++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0]));
		code[at++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 7, 1, 0);
	}
	code[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	code[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM);

	struct sock_fprog prog = { at, code };
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog);
}

// A filter cannot be taken off again: each is measured in a child.
static void seccomp(const char *name, int rules, int by_argument, double plain)
{
	if (!wanted(name))
		return;
	fflush(stdout);
	if (fork()) {
		wait(NULL);
		return;
	}
	if (filter(rules, by_argument))
		perror(name);
	else
		printf("mb %s %.3f ns\n", name, measure(getppid_with_argument, 1) - plain);
	fflush(stdout);
	_exit(0);
}

int main(int argc, char **argv)
{
	double plain;

	argc_ = argc;
	argv_ = argv;
	bench("futex_wake_nobody", wake_nobody, 1);
	bench("futex_wait_changed", wait_changed, 1);
	bench("futex_requeue_nobody", requeue_nobody, 1);
	bench("futex_pi_alone", pi_alone, 1);
	bench("cond_turns", cond_turns, 2);
	bench("cond_turns_pi", cond_turns_pi, 2);
	bench("mutex_contended", mutex_contended, 2);
	bench("futex_pi_handover", pi_handover, 2);
	if (!ring_open()) {
		bench("io_uring_nop_1", nop_1, 1);
		bench("io_uring_nop_32", nop_32, 32);
	}
	plain = wanted("seccomp_by_number") || wanted("seccomp_by_argument") || wanted("seccomp_40_rules") ?
		measure(getppid_with_argument, 1) : 0;
	seccomp("seccomp_by_number", 40, 0, plain);
	seccomp("seccomp_by_argument", 4, 1, plain);
	seccomp("seccomp_40_rules", 40, 1, plain);
	printf("mb done 1 ok\n");
	return 0;
}
