/*
 * ipcstorm.c: System V and POSIX objects made, used and removed at random by processes that are killed at random.
 * ipcstorm SECONDS [SEED]
 *
 * All processes pick their objects from one table, so that most calls meet another one's IPC_RMID, exit or kill; operations
 * wait at most some milliseconds.  Undone in the end must be what SEM_UNDO took: a set that everybody only borrows from is
 * full again.  Nothing may be left: objects in use are counted before and after.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SLOTS	4
#define WORKERS	6
#define FULL	100

static volatile int *ids;		/* SLOTS of each of shm, sem, msg */
static int full;			/* the set that is borrowed from */
static unsigned seed;

static unsigned rnd(unsigned n)
{
	return (unsigned)rand_r(&seed) % n;
}

static int in_use(void)
{
	struct shm_info shm;
	struct seminfo sem;
	struct msginfo msg;

	shmctl(0, SHM_INFO, (void *)&shm);
	semctl(0, 0, SEM_INFO, &sem);
	msgctl(0, MSG_INFO, (void *)&msg);
	return shm.used_ids + sem.semusz + msg.msgpool;
}

static void remove_object(int kind, int id)
{
	if (kind == 0)
		shmctl(id, IPC_RMID, NULL);
	else if (kind == 1)
		semctl(id, 0, IPC_RMID);
	else
		msgctl(id, IPC_RMID, NULL);
}

/* By key, so that what a worker made and was killed before it could tell is found again. */
static int get(int kind, int slot, int flags)
{
	key_t key = 0x57575700 + kind * SLOTS + slot;

	return kind == 0 ? shmget(key, 3 * 4096, flags) : kind == 1 ? semget(key, 3, flags) : msgget(key, flags);
}

static void replace(int kind, int slot)
{
	volatile int *p = &ids[kind * SLOTS + slot];

	remove_object(kind, *p);
	*p = get(kind, slot, IPC_CREAT | 0600);
}

static void use_shm(int id)
{
	char *a = shmat(id, NULL, rnd(3) ? 0 : SHM_RDONLY);

	if (a == (void *)-1)
		return;
	if (!rnd(4) && !fork()) {
		((volatile char *)a)[0];
		_exit(0);
	}
	if (!rnd(3))
		munmap(a + 4096, 4096);
	if (rnd(3))
		shmdt(a);
}

static void use_sem(int id)
{
	struct sembuf b[2] = { { rnd(3), (int)rnd(5) - 2, SEM_UNDO }, { rnd(3), (int)rnd(3) - 1, rnd(2) ? SEM_UNDO : 0 } };
	struct timespec ts = { 0, rnd(3000000) };
	unsigned short all[3] = { 1, 2, 3 };

	switch (rnd(6)) {
	case 0:
		semctl(id, 0, SETALL, all);
		break;
	case 1:
		semctl(id, rnd(3), SETVAL, rnd(4));
		break;
	default:
		semtimedop(id, b, 1 + rnd(2), &ts);
	}
}

static void borrow(void)
{
	struct sembuf take = { 0, -(int)rnd(30), SEM_UNDO }, give = { 0, -take.sem_op, SEM_UNDO };
	struct timespec ts = { 0, 5000000 };

	if (semtimedop(full, &take, 1, &ts) == 0 && rnd(2))
		semop(full, &give, 1);
	else
		_exit(0);
}

static void use_msg(int id)
{
	struct { long type; char text[3000]; } m = { .type = 1 + rnd(4) };

	if (rnd(2))
		msgsnd(id, &m, rnd(3000), rnd(2) ? IPC_NOWAIT : 0);
	else
		msgrcv(id, &m, rnd(4000), (int)rnd(7) - 3, (rnd(2) ? IPC_NOWAIT : 0) | (rnd(2) ? MSG_NOERROR : 0));
}

static void use_mq(void)
{
	struct mq_attr attr = { .mq_maxmsg = 3, .mq_msgsize = 100 };
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGWINCH };
	struct timespec ts;
	char buf[100] = "";
	mqd_t q = mq_open("/weft-storm", O_CREAT | O_RDWR, 0600, &attr);

	if (q < 0)
		return;
	clock_gettime(CLOCK_REALTIME, &ts);
	for (int i = 0; i < 10; i++) {
		if (!rnd(8))
			mq_notify(q, &ev);
		if (rnd(2))
			mq_timedsend(q, buf, rnd(100), rnd(5), &ts);
		else
			mq_timedreceive(q, buf, 100, NULL, &ts);
		ts.tv_nsec = rnd(1000000000);
	}
	if (!rnd(5))
		mq_unlink("/weft-storm");
	mq_close(q);
}

static void work(void)
{
	for (;;) {
		int kind = rnd(6), slot = rnd(SLOTS);

		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
		if (!rnd(20) && kind < 3)
			replace(kind, slot);
		else if (kind == 0)
			use_shm(ids[slot]);
		else if (kind == 1)
			use_sem(ids[SLOTS + slot]);
		else if (kind == 2)
			use_msg(ids[2 * SLOTS + slot]);
		else if (kind == 3)
			borrow();
		else if (kind == 4)
			use_mq();
	}
}

static pid_t start_worker(void)
{
	pid_t pid;

	seed = seed * 1103515245 + 12345;
	pid = fork();
	if (!pid)
		work();
	return pid;
}

int main(int argc, char **argv)
{
	time_t end = time(NULL) + (argc > 1 ? atoi(argv[1]) : 10);
	int before = in_use(), value, left;
	pid_t pid[WORKERS];

	seed = argc > 2 ? (unsigned)atoi(argv[2]) : (unsigned)time(NULL);
	printf("ipcstorm: seed %u\n", seed);
	fflush(stdout);
	ids = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	full = semget(IPC_PRIVATE, 1, 0600);
	if (full < 0 || semctl(full, 0, SETVAL, FULL))
		return 1;
	for (int i = 0; i < 3 * SLOTS; i++) {
		ids[i] = -1;
		replace(i / SLOTS, i % SLOTS);
	}
	for (int i = 0; i < WORKERS; i++)
		pid[i] = start_worker();
	while (time(NULL) < end) {
		int i = rnd(WORKERS);

		usleep(rnd(20000));
		kill(pid[i], rnd(2) ? SIGKILL : SIGTERM);
		waitpid(pid[i], NULL, 0);
		pid[i] = start_worker();
	}
	for (int i = 0; i < WORKERS; i++) {
		kill(pid[i], SIGKILL);
		waitpid(pid[i], NULL, 0);
	}
	usleep(200000);				/* grandchildren */
	value = semctl(full, 0, GETVAL);
	semctl(full, 0, IPC_RMID);
	for (int i = 0; i < 3 * SLOTS; i++)
		remove_object(i / SLOTS, get(i / SLOTS, i % SLOTS, 0));
	mq_unlink("/weft-storm");
	left = in_use() - before;
	if (value != FULL || left)
		printf("ipcstorm: value %d, not %d; %d objects left\n", value, FULL, left);
	return value != FULL || left;
}
