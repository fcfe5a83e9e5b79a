/* sysvipc.c: System V shared memory, semaphores and message queues (spec §8; man 2 shmget, shmop, semop, msgop and their ctl). */
#include "t.h"
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <pthread.h>
#include <sched.h>

#define PG 4096UL

union semun { int val; struct semid_ds *buf; unsigned short *array; struct seminfo *info; };
struct text { long type; char text[64]; };

/* A key that nobody else has, unless a test before left it behind. */
static key_t new_key(void)
{
	return 0x57000000 | (getpid() & 0xffffff);
}

static int shm_attached(int id)
{
	struct shmid_ds ds;

	CHECK_OK(shmctl(id, IPC_STAT, &ds));
	return ds.shm_nattch;
}

static void op(int id, int num, int by, int flags)
{
	struct sembuf b = { num, by, flags };

	CHECK_OK(semop(id, &b, 1));
}

static void sem_init_to(int id, int num, int value)
{
	CHECK_OK(semctl(id, num, SETVAL, (union semun){ .val = value }));
}

/* ---- shared memory ---- */

TEST(shm_get_errors)
{
	key_t key = new_key();

	CHECK_ERR(shmget(key, PG, 0600), ENOENT);
	CHECK_ERR(shmget(key, 0, IPC_CREAT | 0600), EINVAL);
	int id = CHECK_OK(shmget(key, PG, IPC_CREAT | IPC_EXCL | 0600));
	CHECK_ERR(shmget(key, PG, IPC_CREAT | IPC_EXCL | 0600), EEXIST);
	CHECK_ERR(shmget(key, 2 * PG, 0600), EINVAL);
	CHECK_EQ(shmget(key, 0, 0), id);
	CHECK_EQ(shmget(key, PG, IPC_CREAT | 0600), id);
	CHECK_OK(shmctl(id, IPC_RMID, NULL));
	CHECK_ERR(shmctl(id, IPC_RMID, NULL), EINVAL);
	CHECK_ERR(shmget(key, PG, 0600), ENOENT);
	CHECK_ERR(shmat(id, NULL, 0) == (void *)-1 ? -1 : 0, EINVAL);
	CHECK_ERR(shmctl(-1, IPC_STAT, NULL), EINVAL);
	CHECK_ERR(shmctl(id, 99, NULL), EINVAL);
}

TEST(shm_shared_by_fork_and_attach)
{
	int id = CHECK_OK(shmget(IPC_PRIVATE, 3 * PG, IPC_CREAT | 0600));
	int *a = shmat(id, NULL, 0), *b = shmat(id, NULL, SHM_RDONLY);

	CHECK(a != (void *)-1 && b != (void *)-1 && a != b);
	CHECK_EQ(shm_attached(id), 2);
	pid_t pid = CHECK_OK(fork());
	if (!pid) {
		a[1024] = 77;
		_exit(shm_attached(id));
	}
	int status = t_wait(pid);
	CHECK_EQ(WEXITSTATUS(status), 4);
	CHECK_EQ(b[1024], 77);
	CHECK_EQ(b[0], 0);
	CHECK_EQ(shm_attached(id), 2);
	CHECK_ERR(mprotect(b, PG, PROT_READ | PROT_WRITE), EACCES);
	CHECK_OK(shmdt(a));
	CHECK_ERR(shmdt(a), EINVAL);
	CHECK_ERR(shmdt((char *)b + 1), EINVAL);
	CHECK_EQ(shm_attached(id), 1);
	CHECK_OK(shmdt(b));
	CHECK_OK(shmctl(id, IPC_RMID, NULL));
}

TEST(shm_removed_while_attached)
{
	struct shmid_ds ds;
	key_t key = new_key();
	int id = CHECK_OK(shmget(key, PG, IPC_CREAT | 0600));
	char *a = shmat(id, NULL, 0), *b;

	CHECK(a != (void *)-1);
	strcpy(a, "still here");
	CHECK_OK(shmctl(id, IPC_RMID, NULL));
	CHECK_ERR(shmget(key, PG, 0600), ENOENT);
	CHECK_OK(shmctl(id, IPC_STAT, &ds));
	CHECK(ds.shm_perm.mode & SHM_DEST);
	CHECK_EQ(ds.shm_nattch, 1);
	b = shmat(id, NULL, 0);			/* Linux: as long as somebody has it */
	CHECK(b != (void *)-1);
	CHECK_STR(b, "still here");
	CHECK_OK(shmdt(a));
	CHECK_OK(shmdt(b));
	CHECK_ERR(shmctl(id, IPC_STAT, &ds), EINVAL);
}

TEST(shm_goes_with_the_last_process)
{
	struct shmid_ds ds;
	int id = CHECK_OK(shmget(IPC_PRIVATE, PG, 0600));
	pid_t pid = CHECK_OK(fork());

	if (!pid) {
		if (shmat(id, NULL, 0) == (void *)-1 || shmctl(id, IPC_RMID, NULL))
			_exit(1);
		_exit(0);
	}
	CHECK_EQ(t_wait(pid), 0);
	CHECK_ERR(shmctl(id, IPC_STAT, &ds), EINVAL);
}

TEST(shm_addresses)
{
	int id = CHECK_OK(shmget(IPC_PRIVATE, 2 * PG, 0600));
	char *room = mmap(NULL, 8 * PG, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(room != MAP_FAILED);
	CHECK(shmat(id, room, 0) == (void *)-1 && errno == EINVAL);		/* taken */
	CHECK(shmat(id, room + 1, SHM_REMAP) == (void *)-1 && errno == EINVAL);	/* not aligned */
	CHECK(shmat(id, NULL, SHM_REMAP) == (void *)-1 && errno == EINVAL);
	CHECK(shmat(id, room + 5, SHM_REMAP | SHM_RND) == room);
	strcpy(room + PG, "x");
	CHECK_OK(munmap(room + 4 * PG, 4 * PG));
	CHECK(shmat(id, room + 4 * PG, 0) == room + 4 * PG);
	CHECK_STR(room + 5 * PG, "x");
	CHECK_OK(munmap(room + 4 * PG, PG));	/* a piece of the attach: what is left still counts, and goes with shmdt */
	CHECK_EQ(shm_attached(id), 2);
	CHECK_OK(shmdt(room + 4 * PG));
	CHECK_EQ(shm_attached(id), 1);
	CHECK_OK(shmctl(id, IPC_RMID, NULL));
	CHECK_OK(munmap(room, 4 * PG));
	CHECK_ERR(shmctl(id, IPC_RMID, NULL), EINVAL);
}

TEST(shm_rights)
{
	struct shmid_ds ds;
	int id = CHECK_OK(shmget(IPC_PRIVATE, PG, 0604));

	if (geteuid())
		SKIP("needs root");
	pid_t pid = CHECK_OK(fork());
	if (!pid) {
		if (setgid(12345) || setuid(12345))
			_exit(1);
		if (shmat(id, NULL, 0) != (void *)-1 || errno != EACCES)
			_exit(2);
		if (shmat(id, NULL, SHM_RDONLY) == (void *)-1)
			_exit(3);
		if (shmctl(id, IPC_RMID, NULL) != -1 || errno != EPERM)
			_exit(4);
		_exit(0);
	}
	CHECK_EQ(t_wait(pid), 0);
	CHECK_OK(shmctl(id, IPC_STAT, &ds));
	ds.shm_perm.uid = 12345;
	ds.shm_perm.mode = 0777;
	CHECK_OK(shmctl(id, IPC_SET, &ds));
	CHECK_OK(shmctl(id, IPC_STAT, &ds));
	CHECK_EQ(ds.shm_perm.mode, 0777);
	CHECK_EQ(ds.shm_perm.uid, 12345);
	CHECK_EQ(ds.shm_perm.cuid, 0);
	CHECK_OK(shmctl(id, SHM_LOCK, NULL));
	CHECK_OK(shmctl(id, IPC_STAT, &ds));
	CHECK(ds.shm_perm.mode & SHM_LOCKED);
	CHECK_OK(shmctl(id, SHM_UNLOCK, NULL));
	CHECK_OK(shmctl(id, IPC_RMID, NULL));
}

TEST(shm_stat_and_info)
{
	struct shminfo limits;
	struct shm_info info;
	struct shmid_ds ds;
	int id = CHECK_OK(shmget(IPC_PRIVATE, PG + 1, 0640));
	char *p = shmat(id, NULL, 0);

	p[PG] = 1;				/* its page belongs to the segment as well */
	CHECK_OK(shmctl(id, IPC_STAT, &ds));
	CHECK_EQ(ds.shm_segsz, PG + 1);
	CHECK_EQ(ds.shm_cpid, getpid());
	CHECK_EQ(ds.shm_lpid, getpid());
	CHECK_EQ(ds.shm_perm.mode, 0640);
	CHECK(ds.shm_atime && !ds.shm_dtime && ds.shm_ctime);
	CHECK_OK(shmctl(0, IPC_INFO, (void *)&limits));
	CHECK_EQ(limits.shmmni, 4096);
	CHECK_EQ(limits.shmmin, 1);
	int max = CHECK_OK(shmctl(0, SHM_INFO, (void *)&info)), seen = 0;
	CHECK(info.used_ids >= 1 && info.shm_tot >= 2 && info.shm_rss >= 1);
	for (int i = 0; i <= max; i++)
		seen += shmctl(i, SHM_STAT, &ds) == id;
	CHECK_EQ(seen, 1);
	CHECK_OK(shmctl(id, IPC_RMID, NULL));
}

TEST(ids_are_not_reused_at_once)
{
	int first = CHECK_OK(shmget(IPC_PRIVATE, PG, 0600));

	CHECK_OK(shmctl(first, IPC_RMID, NULL));
	for (int i = 0; i < 300; i++) {
		int id = CHECK_OK(shmget(IPC_PRIVATE, PG, 0600));

		CHECK(id != first);
		CHECK_OK(shmctl(id, IPC_RMID, NULL));
	}
}

/* ---- semaphores ---- */

TEST(sem_get_errors)
{
	key_t key = new_key();

	CHECK_ERR(semget(key, 1, 0600), ENOENT);
	CHECK_ERR(semget(key, 0, IPC_CREAT | 0600), EINVAL);
	CHECK_ERR(semget(key, -1, IPC_CREAT | 0600), EINVAL);
	CHECK_ERR(semget(key, 32001, IPC_CREAT | 0600), EINVAL);
	int id = CHECK_OK(semget(key, 3, IPC_CREAT | 0600));
	CHECK_ERR(semget(key, 3, IPC_CREAT | IPC_EXCL | 0600), EEXIST);
	CHECK_ERR(semget(key, 4, 0600), EINVAL);
	CHECK_EQ(semget(key, 2, 0600), id);
	CHECK_OK(semctl(id, 0, IPC_RMID));
	CHECK_ERR(semctl(id, 0, IPC_RMID), EINVAL);
}

TEST(sem_op_errors)
{
	int id = CHECK_OK(semget(IPC_PRIVATE, 2, 0600));
	struct sembuf b[501] = { { 0, 1, 0 } };

	CHECK_ERR(semop(id, b, 0), EINVAL);
	CHECK_ERR(semop(id, b, 501), E2BIG);
	CHECK_ERR(semop(-1, b, 1), EINVAL);
	CHECK_ERR(semop(id, (void *)8, 1), EFAULT);
	b[0].sem_num = 2;
	CHECK_ERR(semop(id, b, 1), EFBIG);
	b[0] = (struct sembuf){ 0, -1, IPC_NOWAIT };
	CHECK_ERR(semop(id, b, 1), EAGAIN);
	sem_init_to(id, 0, 32767);
	b[0] = (struct sembuf){ 0, 1, 0 };
	CHECK_ERR(semop(id, b, 1), ERANGE);
	CHECK_ERR(semctl(id, 0, SETVAL, (union semun){ .val = 32768 }), ERANGE);
	CHECK_ERR(semctl(id, 0, SETVAL, (union semun){ .val = -1 }), ERANGE);
	CHECK_ERR(semctl(id, 2, SETVAL, (union semun){ .val = 1 }), EINVAL);
	CHECK_ERR(semctl(id, 2, GETVAL), EINVAL);
	CHECK_ERR(semctl(id, 0, 99), EINVAL);
	b[0] = (struct sembuf){ 0, 0, IPC_NOWAIT };
	CHECK_ERR(semop(id, b, 1), EAGAIN);
	b[0] = (struct sembuf){ 1, 0, SEM_UNDO };	/* waits for zero, and it is */
	CHECK_OK(semop(id, b, 1));
	b[0] = (struct sembuf){ 1, 0, SEM_UNDO };
	b[1] = (struct sembuf){ 0, 0, SEM_UNDO | IPC_NOWAIT };
	CHECK_ERR(semop(id, b, 2), EAGAIN);
	CHECK_OK(semctl(id, 0, IPC_RMID));
}

TEST(sem_all_or_nothing)
{
	int id = CHECK_OK(semget(IPC_PRIVATE, 3, 0600));
	unsigned short v[3] = { 5, 6, 7 };
	struct sembuf b[] = { { 0, -5, 0 }, { 1, 4, 0 }, { 0, 0, 0 }, { 2, -8, IPC_NOWAIT } };

	CHECK_OK(semctl(id, 0, SETALL, (union semun){ .array = v }));
	CHECK_ERR(semop(id, b, 4), EAGAIN);
	memset(v, 0, sizeof(v));
	CHECK_OK(semctl(id, 0, GETALL, (union semun){ .array = v }));
	CHECK(v[0] == 5 && v[1] == 6 && v[2] == 7);
	b[3].sem_op = -7;
	CHECK_OK(semop(id, b, 4));
	CHECK_OK(semctl(id, 0, GETALL, (union semun){ .array = v }));
	CHECK(v[0] == 0 && v[1] == 10 && v[2] == 0);
	CHECK_EQ(semctl(id, 1, GETPID), getpid());
	CHECK_OK(semctl(id, 0, IPC_RMID));
}

TEST(sem_waits_and_counts)
{
	int id = CHECK_OK(semget(IPC_PRIVATE, 2, 0600));
	pid_t a = CHECK_OK(fork()), b;

	if (!a) {
		op(id, 0, -2, 0);
		_exit(0);
	}
	b = CHECK_OK(fork());
	if (!b) {
		sem_init_to(id, 1, 1);
		op(id, 1, 0, 0);
		_exit(0);
	}
	while (semctl(id, 0, GETNCNT) != 1 || semctl(id, 1, GETZCNT) != 1)
		t_sleep_ms(5);
	CHECK_EQ(semctl(id, 0, GETZCNT), 0);
	op(id, 0, 1, 0);
	t_sleep_ms(20);
	CHECK_EQ(semctl(id, 0, GETNCNT), 1);
	op(id, 0, 1, 0);
	CHECK_EQ(t_wait(a), 0);
	CHECK_EQ(semctl(id, 0, GETVAL), 0);
	CHECK_EQ(semctl(id, 0, GETPID), a);
	op(id, 1, -1, 0);
	CHECK_EQ(t_wait(b), 0);
	CHECK_OK(semctl(id, 0, IPC_RMID));
}

static void nothing(int sig)
{
	(void)sig;
}

TEST(sem_timeout_signal_removal)
{
	int id = CHECK_OK(semget(IPC_PRIVATE, 1, 0600));
	struct timespec ts = { 0, 30000000 }, bad = { 0, -1 };
	struct sembuf b = { 0, -1, 0 };
	long long t = t_now_ns();

	CHECK_ERR(semtimedop(id, &b, 1, &ts), EAGAIN);
	CHECK(t_now_ns() - t >= 30000000);
	CHECK_ERR(semtimedop(id, &b, 1, &bad), EINVAL);

	pid_t pid = CHECK_OK(fork());
	if (!pid) {
		sigaction(SIGUSR1, &(struct sigaction){ .sa_handler = nothing, .sa_flags = SA_RESTART }, NULL);
		if (semop(id, &b, 1) != -1 || errno != EINTR)	/* never restarted */
			_exit(1);
		if (semop(id, &b, 1) != -1 || errno != EIDRM)
			_exit(2);
		_exit(semop(id, &b, 1) != -1 || errno != EINVAL);
	}
	while (semctl(id, 0, GETNCNT) != 1)
		t_sleep_ms(5);
	CHECK_OK(kill(pid, SIGUSR1));
	t_sleep_ms(100);
	while (semctl(id, 0, GETNCNT) != 1)
		t_sleep_ms(5);
	CHECK_OK(semctl(id, 0, IPC_RMID));
	CHECK_EQ(t_wait(pid), 0);
}

TEST(sem_undo_at_exit)
{
	int id = CHECK_OK(semget(IPC_PRIVATE, 2, 0600));

	sem_init_to(id, 0, 3);
	pid_t pid = CHECK_OK(fork());
	if (!pid) {
		op(id, 0, -2, SEM_UNDO);
		op(id, 1, 4, SEM_UNDO);
		op(id, 1, 1, 0);
		pause();
	}
	while (semctl(id, 1, GETVAL) != 5)
		t_sleep_ms(5);
	CHECK_EQ(semctl(id, 0, GETVAL), 1);
	pid_t waiter = CHECK_OK(fork());
	if (!waiter) {
		op(id, 0, -3, 0);		/* the end of the other makes it possible */
		_exit(0);
	}
	while (semctl(id, 0, GETNCNT) != 1)
		t_sleep_ms(5);
	CHECK_OK(kill(pid, SIGKILL));
	t_wait(pid);
	CHECK_EQ(t_wait(waiter), 0);
	CHECK_EQ(semctl(id, 0, GETVAL), 0);
	CHECK_EQ(semctl(id, 1, GETVAL), 1);
	CHECK_OK(semctl(id, 0, IPC_RMID));
}

TEST(sem_undo_forgotten_by_setval_and_rmid)
{
	int id = CHECK_OK(semget(IPC_PRIVATE, 2, 0600)), other = CHECK_OK(semget(IPC_PRIVATE, 2, 0600));
	pid_t pid = CHECK_OK(fork());

	if (!pid) {
		op(id, 0, 2, SEM_UNDO);
		op(id, 1, 2, SEM_UNDO);
		op(other, 1, 2, SEM_UNDO);
		sem_init_to(id, 0, 9);
		semctl(other, 0, IPC_RMID);
		_exit(0);
	}
	CHECK_EQ(t_wait(pid), 0);
	CHECK_EQ(semctl(id, 0, GETVAL), 9);
	CHECK_EQ(semctl(id, 1, GETVAL), 0);
	CHECK_OK(semctl(id, 0, IPC_RMID));
}

static int undo_id;

static void *undo_thread(void *arg)
{
	(void)arg;
	op(undo_id, 0, 1, SEM_UNDO);
	return NULL;
}

/* A thread shares the list of its process (CLONE_SYSVSEM): its end alone undoes nothing; a child starts without. */
TEST(sem_undo_of_threads)
{
	undo_id = CHECK_OK(semget(IPC_PRIVATE, 1, 0600));
	pid_t pid = CHECK_OK(fork());

	if (!pid) {
		pthread_t t;

		op(undo_id, 0, 1, SEM_UNDO);
		pthread_create(&t, NULL, undo_thread, NULL);
		pthread_join(t, NULL);
		pid_t child = fork();
		if (!child)
			_exit(0);
		waitpid(child, NULL, 0);
		_exit(semctl(undo_id, 0, GETVAL));
	}
	int status = t_wait(pid);
	CHECK_EQ(WEXITSTATUS(status), 2);
	CHECK_EQ(semctl(undo_id, 0, GETVAL), 0);

	op(undo_id, 0, 1, SEM_UNDO);
	CHECK_OK(unshare(CLONE_SYSVSEM));
	CHECK_EQ(semctl(undo_id, 0, GETVAL), 0);
	CHECK_OK(semctl(undo_id, 0, IPC_RMID));
}

/* A mutex from a semaphore, eight processes: no increment may be lost. */
TEST(sem_mutual_exclusion)
{
	int id = CHECK_OK(semget(IPC_PRIVATE, 1, 0600)), shm = CHECK_OK(shmget(IPC_PRIVATE, PG, 0600));
	volatile int *n = shmat(shm, NULL, 0);

	sem_init_to(id, 0, 1);
	for (int i = 0; i < 8; i++) {
		if (CHECK_OK(fork()))
			continue;
		for (int j = 0; j < 300; j++) {
			op(id, 0, -1, SEM_UNDO);
			int was = *n;
			if (j % 50 == 0)
				sched_yield();
			*n = was + 1;
			op(id, 0, 1, SEM_UNDO);
		}
		_exit(0);
	}
	for (int i = 0; i < 8; i++)
		CHECK_OK(wait(NULL));
	CHECK_EQ(*n, 8 * 300);
	CHECK_EQ(semctl(id, 0, GETVAL), 1);
	CHECK_OK(semctl(id, 0, IPC_RMID));
	CHECK_OK(shmctl(shm, IPC_RMID, NULL));
}

TEST(sem_stat_and_info)
{
	struct semid_ds ds;
	struct seminfo info;
	int id = CHECK_OK(semget(IPC_PRIVATE, 5, 0620)), seen = 0;

	CHECK_OK(semctl(id, 0, IPC_STAT, (union semun){ .buf = &ds }));
	CHECK_EQ(ds.sem_nsems, 5);
	CHECK_EQ(ds.sem_otime, 0);
	CHECK_EQ(ds.sem_perm.mode, 0620);
	op(id, 0, 1, 0);
	CHECK_OK(semctl(id, 0, IPC_STAT, (union semun){ .buf = &ds }));
	CHECK(ds.sem_otime >= ds.sem_ctime);
	CHECK_OK(semctl(0, 0, IPC_INFO, (union semun){ .info = &info }));
	CHECK_EQ(info.semvmx, 32767);
	CHECK_EQ(info.semopm, 500);
	int max = CHECK_OK(semctl(0, 0, SEM_INFO, (union semun){ .info = &info }));
	CHECK(info.semusz >= 1 && info.semaem >= 5);
	for (int i = 0; i <= max; i++)
		seen += semctl(i, 0, SEM_STAT, (union semun){ .buf = &ds }) == id;
	CHECK_EQ(seen, 1);
	CHECK_OK(semctl(id, 0, IPC_RMID));
}

/* ---- message queues ---- */

static void send_text(int id, long type, const char *s)
{
	struct text m = { .type = type };

	strcpy(m.text, s);
	CHECK_OK(msgsnd(id, &m, strlen(s) + 1, IPC_NOWAIT));
}

static void expect(int id, long type, int flags, long got, const char *s)
{
	struct text m;

	CHECK_EQ(msgrcv(id, &m, sizeof(m.text), type, flags | IPC_NOWAIT), strlen(s) + 1);
	CHECK_EQ(m.type, got);
	CHECK_STR(m.text, s);
}

TEST(msg_order_and_types)
{
	int id = CHECK_OK(msgget(IPC_PRIVATE, 0600));
	struct text m;

	send_text(id, 3, "three");
	send_text(id, 1, "one");
	send_text(id, 2, "two");
	send_text(id, 1, "uno");
	send_text(id, 9, "nine");
	expect(id, 2, 0, 2, "two");
	expect(id, 3, MSG_EXCEPT, 1, "one");
	expect(id, -3, 0, 1, "uno");
	expect(id, 0, 0, 3, "three");
	CHECK_ERR(msgrcv(id, &m, 64, -8, IPC_NOWAIT), ENOMSG);
	CHECK_ERR(msgrcv(id, &m, 2, 0, IPC_NOWAIT), E2BIG);
	CHECK_EQ(msgrcv(id, &m, 2, 0, IPC_NOWAIT | MSG_NOERROR), 2);
	CHECK(m.type == 9 && !memcmp(m.text, "ni", 2));
	CHECK_ERR(msgrcv(id, &m, 64, 0, IPC_NOWAIT), ENOMSG);
	CHECK_OK(msgctl(id, IPC_RMID, NULL));
}

TEST(msg_errors)
{
	key_t key = new_key();
	struct text m = { .type = 0 };
	static struct { long type; char text[9000]; } big = { .type = 1 };

	CHECK_ERR(msgget(key, 0600), ENOENT);
	int id = CHECK_OK(msgget(key, IPC_CREAT | 0600));
	CHECK_ERR(msgget(key, IPC_CREAT | IPC_EXCL | 0600), EEXIST);
	CHECK_ERR(msgsnd(id, &m, 1, 0), EINVAL);
	m.type = -1;
	CHECK_ERR(msgsnd(id, &m, 1, 0), EINVAL);
	CHECK_ERR(msgsnd(id, &big, 9000, 0), EINVAL);
	CHECK_ERR(msgsnd(-1, &big, 1, 0), EINVAL);
	CHECK_ERR(msgsnd(id, (void *)8, 1, 0), EFAULT);
	CHECK_ERR(msgrcv(id, &m, -1, 0, 0), EINVAL);
	CHECK_ERR(msgctl(id, 99, NULL), EINVAL);
	CHECK_OK(msgctl(id, IPC_RMID, NULL));
	CHECK_ERR(msgsnd(id, &big, 1, 0), EINVAL);
	CHECK_ERR(msgrcv(id, &m, 1, 0, 0), EINVAL);
}

TEST(msg_copy)
{
	int id = CHECK_OK(msgget(IPC_PRIVATE, 0600)), flags = MSG_COPY | IPC_NOWAIT;
	struct text m = { .type = 3, .text = "first" };
	struct msqid_ds ds;

	if (msgrcv(id, &m, 1, 0, flags) < 0 && errno == ENOSYS)
		SKIP("a kernel without checkpoints");
	CHECK_OK(msgsnd(id, &m, 6, 0));
	m = (struct text){ .type = 2, .text = "second" };
	CHECK_OK(msgsnd(id, &m, 7, 0));
	CHECK_EQ(msgrcv(id, &m, 64, 0, flags), 6);
	CHECK_EQ(m.type, 3);
	CHECK_STR(m.text, "first");
	CHECK_EQ(msgrcv(id, &m, 64, 1, flags), 7);
	CHECK_STR(m.text, "second");
	CHECK_ERR(msgrcv(id, &m, 64, 2, flags), ENOMSG);
	CHECK_ERR(msgrcv(id, &m, 64, -1, flags), ENOMSG);
	CHECK_ERR(msgrcv(id, &m, 64, 0, MSG_COPY), EINVAL);
	CHECK_ERR(msgrcv(id, &m, 64, 0, flags | MSG_EXCEPT), EINVAL);
	CHECK_ERR(msgrcv(id, &m, 2, 0, flags), E2BIG);
	CHECK_ERR(msgrcv(id, &m, 2, 0, flags | MSG_NOERROR), EINVAL);
	CHECK_OK(msgctl(id, IPC_STAT, &ds));
	CHECK_EQ(ds.msg_qnum, 2);
	CHECK_EQ(ds.msg_lrpid, 0);
	CHECK_OK(msgctl(id, IPC_RMID, NULL));
}

TEST(msg_full_queue)
{
	int id = CHECK_OK(msgget(IPC_PRIVATE, 0600)), sent = 0;
	static struct { long type; char text[8192]; } big = { .type = 1 };
	struct msqid_ds ds;

	while (msgsnd(id, &big, 4096, IPC_NOWAIT) == 0)
		sent++;
	CHECK_EQ(errno, EAGAIN);
	CHECK_EQ(sent, 4);
	CHECK_OK(msgctl(id, IPC_STAT, &ds));
	CHECK_EQ(ds.msg_qnum, 4);
	CHECK_EQ(ds.__msg_cbytes, 16384);
	CHECK_EQ(ds.msg_qbytes, 16384);
	CHECK_EQ(ds.msg_lspid, getpid());
	pid_t pid = CHECK_OK(fork());
	if (!pid) {
		if (msgsnd(id, &big, 8192, 0))
			_exit(1);
		if (msgsnd(id, &big, 8192, 0) != -1 || errno != EIDRM)
			_exit(2);
		_exit(0);
	}
	CHECK_EQ(msgrcv(id, &big, 8192, 0, 0), 4096);
	CHECK_EQ(msgrcv(id, &big, 8192, 0, 0), 4096);
	do {
		t_sleep_ms(5);
		CHECK_OK(msgctl(id, IPC_STAT, &ds));
	} while (ds.msg_qnum != 3);
	t_sleep_ms(30);
	CHECK_OK(msgctl(id, IPC_RMID, NULL));
	CHECK_EQ(t_wait(pid), 0);
}

TEST(msg_receivers_wait)
{
	int id = CHECK_OK(msgget(IPC_PRIVATE, 0600));
	pid_t pid[3];
	struct text m;

	for (int i = 0; i < 3; i++) {
		pid[i] = CHECK_OK(fork());
		if (!pid[i]) {
			ssize_t n = msgrcv(id, &m, i == 2 ? 1 : 64, i + 1, 0);

			_exit(i == 2 ? n != -1 || errno != E2BIG : n != 3 || m.type != i + 1);
		}
	}
	t_sleep_ms(100);
	send_text(id, 2, "ab");
	CHECK_EQ(t_wait(pid[1]), 0);
	send_text(id, 1, "cd");
	CHECK_EQ(t_wait(pid[0]), 0);
	send_text(id, 3, "ef");			/* too long for the one that waits: it fails, the message stays */
	CHECK_EQ(t_wait(pid[2]), 0);
	expect(id, 0, 0, 3, "ef");
	pid[0] = CHECK_OK(fork());
	if (!pid[0])
		_exit(msgrcv(id, &m, 64, 0, 0) != -1 || errno != EIDRM);
	t_sleep_ms(100);
	CHECK_OK(msgctl(id, IPC_RMID, NULL));
	CHECK_EQ(t_wait(pid[0]), 0);
}

/* Two senders, two receivers: each message arrives once. */
TEST(msg_stream)
{
	int id = CHECK_OK(msgget(IPC_PRIVATE, 0600));
	pid_t receivers[2], senders[2];
	struct text m;

	for (int s = 0; s < 2; s++) {
		senders[s] = CHECK_OK(fork());
		if (!senders[s]) {
			for (int i = 0; i < 1000; i++) {
				m.type = s + 1;
				memcpy(m.text, &i, sizeof(i));
				if (msgsnd(id, &m, 64, 0))
					_exit(1);
			}
			_exit(0);
		}
	}
	for (int r = 0; r < 2; r++) {
		receivers[r] = CHECK_OK(fork());
		if (!receivers[r]) {
			for (int i = 0; i < 1000; i++)
				if (msgrcv(id, &m, 64, r + 1, 0) != 64 || memcmp(m.text, &i, sizeof(i)))
					_exit(1);
			_exit(0);
		}
	}
	for (int i = 0; i < 2; i++) {
		CHECK_EQ(t_wait(senders[i]), 0);
		CHECK_EQ(t_wait(receivers[i]), 0);
	}
	CHECK_ERR(msgrcv(id, &m, 64, 0, IPC_NOWAIT), ENOMSG);
	CHECK_OK(msgctl(id, IPC_RMID, NULL));
}

TEST(proc_sysvipc)
{
	static const struct { const char *file, *heading; } files[] = {
		{ "/proc/sysvipc/shm", "       key      shmid perms                  size  cpid  lpid nattch   uid   gid  cuid  cgid"
		  "      atime      dtime      ctime                   rss                  swap\n" },
		{ "/proc/sysvipc/sem", "       key      semid perms      nsems   uid   gid  cuid  cgid      otime      ctime\n" },
		{ "/proc/sysvipc/msg", "       key      msqid perms      cbytes       qnum lspid lrpid   uid   gid  cuid  cgid"
		  "      stime      rtime      ctime\n" },
	};
	int id[3] = { CHECK_OK(shmget(IPC_PRIVATE, PG, 0641)), CHECK_OK(semget(IPC_PRIVATE, 1, 0641)),
		      CHECK_OK(msgget(IPC_PRIVATE, 0641)) };
	char line[400];

	for (int i = 0; i < 3; i++) {
		int key, got, mode, seen = 0;
		FILE *f = fopen(files[i].file, "r");

		CHECK(f && fgets(line, sizeof(line), f));
		CHECK_STR(line, files[i].heading);
		while (fgets(line, sizeof(line), f))
			if (sscanf(line, "%d %d %o", &key, &got, &mode) == 3 && got == id[i] && mode == 0641)
				seen++;
		CHECK_EQ(seen, 1);
		fclose(f);
	}
	CHECK_OK(shmctl(id[0], IPC_RMID, NULL));
	CHECK_OK(semctl(id[1], 0, IPC_RMID));
	CHECK_OK(msgctl(id[2], IPC_RMID, NULL));
}
