/*
 * weft/thread.h: the whole public interface of libweft.
 *
 * What:  user-level threads under one interface and three models, chosen when the program starts: 1:1 (each on a
 *        kernel task of its own), N:1 (all on one), M:N (many on few, with work stealing); bare coroutines below.
 * Idea:  straight-line blocking code.  A call that would block stops only the calling user-level thread.  Every wait
 *        comes in a plain form and in an _until form with an absolute deadline, and ends early when the thread is
 *        cancelled (the plain mutex and rw-lock locks excepted: code that ignores their result must stay correct).
 * Errors: functions return 0 or a positive errno as pthreads do: EINVAL, EPERM (not the owner), EBUSY, EDEADLK, ESRCH
 *        (no such thread), ETIMEDOUT, ECANCELED, EAGAIN.  I/O calls return a count or a NEGATIVE errno, and do not use
 *        the variable errno: it belongs to the kernel task, and a user-level thread may have moved to another.
 * Time:  nanoseconds of CLOCK_MONOTONIC; a deadline is absolute, WEFT_FOREVER means none.
 * Each comment that starts with two stars becomes a manual page in section 3 (tools/mkman.py).
 * See:   spec.md section 9; doc/libweft.md.
 */
#ifndef WEFT_THREAD_H
#define WEFT_THREAD_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

#ifdef __cplusplus
extern "C" {
#endif

struct pollfd;
struct addrinfo;
struct rusage;

/** weft_init, weft_fini, weft_model, weft_workers, weft_io - start and stop the runtime, choose the model
 *
 * weft_init makes the calling kernel thread the first user-level thread ("main") and starts the workers.  A field that
 * is zero takes its default; the environment (WEFT_MODEL=1:1|N:1|M:N, WEFT_WORKERS=n, WEFT_STACK=bytes, WEFT_PREEMPT=us,
 * WEFT_DEBUG=1, WEFT_TRACE=file, WEFT_IO=epoll|io_uring, WEFT_DUMP=1: dump on SIGQUIT) wins over the program, so
 * that the same program runs unchanged on any model.  The first weft_spawn calls weft_init(NULL) when nobody did.
 * weft_fini, called by main when all other threads have ended, stops the workers and writes the trace.
 *
 * model: WEFT_N_1 when not given.  workers: M:N only, default the number of processors.  stack_size: of a thread,
 * guard included, default 65536.  preempt_us: M:N and N:1, a computation longer than this is preempted; 0 = off.
 * debug: owner and misuse checks that also print, wait cycles found when a lock is waited for.  fp_env: keep the
 * floating-point control words per thread (2 ns a switch).  trace: file for a Perfetto trace.  on_deadlock: called with
 * a description when all threads wait for each other for ever; NULL prints it and aborts.
 *
 * By default threads wait for descriptors by epoll, and regular files go through io_uring where the kernel has it, else through
 * helper threads.  WEFT_IO=io_uring: all waits and transfers through io_uring (epoll where the kernel lacks what that needs);
 * WEFT_IO=epoll: no io_uring at all.  weft_io says which it is: "io_uring", "epoll", or "poll" in 1:1.
 *
 * Returns: 0, EINVAL (model), EALREADY (running), ENOMEM, EAGAIN, ENOTSUP (preemption in a static program: there the
 * library cannot tell the program's code from the C library's, which must not be interrupted; nor in sanitizer builds).
 */
enum weft_model { WEFT_DEFAULT = 0, WEFT_1_1, WEFT_N_1, WEFT_M_N };

struct weft_config {
	enum weft_model	model;
	int		workers;
	size_t		stack_size;
	unsigned int	preempt_us;
	int		debug;
	int		fp_env;
	const char	*trace;
	void		(*on_deadlock)(const char *report);
};

int weft_init(const struct weft_config *config);
int weft_fini(void);
enum weft_model weft_model(void);
int weft_workers(void);
const char *weft_io(void);

/** weft_now, weft_after - the clock of all deadlines
 *
 * weft_now is CLOCK_MONOTONIC in nanoseconds; weft_after(ns) is the deadline that many nanoseconds from now, and never
 * overflows past WEFT_FOREVER.
 */
typedef int64_t weft_time_t;
#define WEFT_FOREVER	INT64_MAX
#define WEFT_MS(n)	((weft_time_t)(n) * 1000000)
weft_time_t weft_now(void);
weft_time_t weft_after(weft_time_t ns);

/** weft_coro_create, weft_coro_resume, weft_coro_yield, weft_coro_done, weft_coro_free - bare stackful coroutines
 *
 * No scheduler: resume runs the coroutine until it yields or returns, each passes one pointer to the other.  The first
 * resume's value becomes the function's argument; the function's return value is the last resume's result, and a
 * resume after that returns NULL at once.  A coroutine may be resumed from any kernel thread, but from one at a time,
 * and resumes may nest.  The stack has a guard page.  stack_size 0 means 65536.
 *
 * Returns: create: NULL when there is no memory.  free: EBUSY while it is running (it resumed the caller).
 */
typedef struct weft_coro weft_coro;
typedef void *(*weft_coro_fn)(weft_coro *self, void *first);
weft_coro *weft_coro_create(weft_coro_fn fn, size_t stack_size);
void *weft_coro_resume(weft_coro *coro, void *value);
void *weft_coro_yield(weft_coro *self, void *value);
int weft_coro_done(const weft_coro *coro);
int weft_coro_free(weft_coro *coro);

/** weft_spawn, weft_join, weft_join_until, weft_detach, weft_exit - start a thread, wait for its end
 *
 * A handle carries a generation number: using it after the thread was joined gives ESRCH, never another thread.
 * A new thread runs before older ready ones of its priority (depth first, which bounds memory in spawn trees);
 * woken threads run in the order they were woken.
 *
 * Returns: spawn: 0, EAGAIN (no memory or kernel task), EINVAL.  join: 0, ESRCH, EINVAL (detached, or somebody joins
 * already), EDEADLK (itself), ETIMEDOUT, ECANCELED.
 */
typedef uint64_t weft_t;
#define WEFT_NONE	((weft_t)0)
#define WEFT_NAME_MAX	24

enum weft_attr_flags {
	WEFT_DETACHED = 1,	/* nobody will join */
	WEFT_PINNED = 2,	/* M:N: stays on the worker it was spawned on */
	WEFT_PACKED = 4,	/* parks its stack: see weft_attr */
};

/** weft_attr - how a thread is to be made
 *
 * priority: 0 the most urgent to 7, default (no attr) 4; a waiting lower level is served every 64th time all the same,
 * so that none starves.  stack_size: rounded up to a power of two, guard page included.
 * WEFT_PACKED: while the thread waits its used stack bytes are kept in a small heap block and the page goes back to the
 * kernel, so that a parked thread costs about 1 KiB instead of one page.  The price: two copies and a page fault for
 * each wait, and NOBODY ELSE may hold a pointer into that thread's stack while it waits.  Has no effect in 1:1.
 */
struct weft_attr {
	const char	*name;
	size_t		stack_size;
	int		priority;
	unsigned int	flags;
};
#define WEFT_ATTR_INIT	{ NULL, 0, 4, 0 }
typedef struct weft_attr weft_attr;

int weft_spawn(weft_t *out, const weft_attr *attr, void *(*fn)(void *), void *arg);
int weft_join(weft_t thread, void **result);
int weft_join_until(weft_t thread, void **result, weft_time_t deadline);
int weft_detach(weft_t thread);
void weft_exit(void *result) __attribute__((noreturn));

/** weft_self, weft_id, weft_yield, weft_sleep, weft_sleep_until - the calling thread
 *
 * weft_id is a small number for people to read.  weft_sleep ends early with ECANCELED.
 */
weft_t weft_self(void);
unsigned long weft_id(void);
void weft_yield(void);
int weft_sleep(weft_time_t ns);
int weft_sleep_until(weft_time_t deadline);

/** weft_cancel, weft_cancelled, weft_cancel_disable, weft_cancel_enable - asking a thread to stop
 *
 * Cancellation is a level, not an edge: from weft_cancel on, each wait of that thread returns ECANCELED (I/O:
 * -ECANCELED), at once if it is waiting now, and the code unwinds by its ordinary error paths.  Between disable and
 * enable (they nest) waits are left alone, for code that cleans up.
 *
 * Returns: weft_cancel: 0, ESRCH.  weft_cancelled: not 0 when this thread was asked to stop and has not disabled it.
 */
int weft_cancel(weft_t thread);
int weft_cancelled(void);
void weft_cancel_disable(void);
void weft_cancel_enable(void);

/** weft_set_name, weft_get_name, weft_set_priority, weft_get_priority - what dumps show and the scheduler weighs
 *
 * WEFT_NONE means the calling thread.  The priority of a thread that is ready already counts from its next wait or yield on.
 * In 1:1 the kernel decides who runs: there a level is 5 steps of nice(1) away from the next, 4 being the nice value of the process,
 * and a level that the kernel does not permit (more urgent than before needs CAP_SYS_NICE or RLIMIT_NICE) has no effect.
 * Returns: 0, ESRCH, EINVAL, EPERM, ERANGE (buffer too small).
 */
int weft_set_name(weft_t thread, const char *name);
int weft_get_name(weft_t thread, char *buffer, size_t size);
int weft_set_priority(weft_t thread, int priority);
int weft_get_priority(weft_t thread);

/** weft_key_create, weft_key_delete, weft_setspecific, weft_getspecific - thread-local storage
 *
 * As pthread keys, for user-level threads; the compiler's __thread variables belong to the worker.  Destructors run
 * when the thread ends, up to four rounds.  Returns: 0, EAGAIN (all 64 keys in use), EINVAL, ENOMEM.
 */
typedef unsigned int weft_key_t;
int weft_key_create(weft_key_t *key, void (*destructor)(void *));
int weft_key_delete(weft_key_t key);
int weft_setspecific(weft_key_t key, const void *value);
void *weft_getspecific(weft_key_t key);

/* A list of waiting threads and the spinlock in front of it: the inside of everything below. */
struct weft_waitq {
	struct weft_waiter *first, *last;
};

/** weft_mutex_init, weft_mutex_lock, weft_mutex_lock_until, weft_mutex_trylock, weft_mutex_unlock, weft_mutex_destroy - mutual exclusion
 *
 * First come, first served: unlock hands the mutex to the longest waiter.  WEFT_RECURSIVE: the owner may lock again.
 * Only the owner may unlock.  weft_mutex_lock is no cancellation point, weft_mutex_lock_until is.
 *
 * Returns: 0, EBUSY (trylock; destroy while held or waited for), EDEADLK (owner locks a plain mutex again),
 * EPERM (unlock by another), ETIMEDOUT, ECANCELED.
 */
typedef struct weft_mutex {
	uint32_t		lock, flags, depth, waiters;
	struct weft_thread	*owner;
	struct weft_waitq	q;
} weft_mutex;
#define WEFT_RECURSIVE	1u
#define WEFT_MUTEX_INIT			{ 0, 0, 0, 0, NULL, { NULL, NULL } }
#define WEFT_RECURSIVE_MUTEX_INIT	{ 0, WEFT_RECURSIVE, 0, 0, NULL, { NULL, NULL } }
int weft_mutex_init(weft_mutex *m, unsigned int flags);
int weft_mutex_lock(weft_mutex *m);
int weft_mutex_lock_until(weft_mutex *m, weft_time_t deadline);
int weft_mutex_trylock(weft_mutex *m);
int weft_mutex_unlock(weft_mutex *m);
int weft_mutex_destroy(weft_mutex *m);

/** weft_sem_init, weft_sem_wait, weft_sem_wait_until, weft_sem_trywait, weft_sem_post, weft_sem_value, weft_sem_destroy - counting and binary semaphores
 *
 * max is the highest value (1 makes it binary, 0 means no limit).  Unlike a mutex it has no owner: one thread may take
 * and another give.  Returns: 0, EAGAIN (trywait), EOVERFLOW (post at max), EBUSY, ETIMEDOUT, ECANCELED, EINVAL.
 */
typedef struct weft_sem {
	uint32_t		lock, value, max, pad;
	struct weft_waitq	q;
} weft_sem;
#define WEFT_SEM_INIT(n)	{ 0, (n), 0, 0, { NULL, NULL } }
#define WEFT_BINARY_SEM_INIT(n)	{ 0, (n), 1, 0, { NULL, NULL } }
int weft_sem_init(weft_sem *s, unsigned int value, unsigned int max);
int weft_sem_wait(weft_sem *s);
int weft_sem_wait_until(weft_sem *s, weft_time_t deadline);
int weft_sem_trywait(weft_sem *s);
int weft_sem_post(weft_sem *s);
unsigned int weft_sem_value(weft_sem *s);
int weft_sem_destroy(weft_sem *s);

/** weft_rwlock_init, weft_rwlock_rdlock, weft_rwlock_rdlock_until, weft_rwlock_tryrdlock, weft_rwlock_wrlock, weft_rwlock_wrlock_until, weft_rwlock_trywrlock, weft_rwlock_unlock, weft_rwlock_destroy - many readers or one writer
 *
 * In order of arrival: a reader waits behind a waiting writer, so neither side starves; readers that wait side by side
 * enter together.  Returns: 0, EBUSY, EDEADLK (the writer locks again), EPERM (unlock of a free lock, or of another's
 * write lock), ETIMEDOUT, ECANCELED.
 */
typedef struct weft_rwlock {
	uint32_t		lock, readers;
	struct weft_thread	*writer;
	struct weft_waitq	q;
} weft_rwlock;
#define WEFT_RWLOCK_INIT	{ 0, 0, NULL, { NULL, NULL } }
int weft_rwlock_init(weft_rwlock *l);
int weft_rwlock_rdlock(weft_rwlock *l);
int weft_rwlock_rdlock_until(weft_rwlock *l, weft_time_t deadline);
int weft_rwlock_tryrdlock(weft_rwlock *l);
int weft_rwlock_wrlock(weft_rwlock *l);
int weft_rwlock_wrlock_until(weft_rwlock *l, weft_time_t deadline);
int weft_rwlock_trywrlock(weft_rwlock *l);
int weft_rwlock_unlock(weft_rwlock *l);
int weft_rwlock_destroy(weft_rwlock *l);

/** weft_cond_init, weft_cond_wait, weft_cond_wait_until, weft_cond_signal, weft_cond_broadcast, weft_cond_destroy - condition variables
 *
 * The mutex is held again whenever wait returns, whatever it returns; there are no spurious wake-ups, but somebody may
 * take the mutex between the signal and the return, so wait in a loop.  Returns: 0, EPERM (mutex not held), EBUSY,
 * ETIMEDOUT, ECANCELED.
 */
typedef struct weft_cond {
	uint32_t		lock, pad;
	struct weft_waitq	q;
} weft_cond;
#define WEFT_COND_INIT	{ 0, 0, { NULL, NULL } }
int weft_cond_init(weft_cond *c);
int weft_cond_wait(weft_cond *c, weft_mutex *m);
int weft_cond_wait_until(weft_cond *c, weft_mutex *m, weft_time_t deadline);
int weft_cond_signal(weft_cond *c);
int weft_cond_broadcast(weft_cond *c);
int weft_cond_destroy(weft_cond *c);

/** weft_once_do - run a function exactly once
 *
 * Whoever comes while it runs waits for its end; afterwards the cost is one load with acquire order, which is what the
 * double-checked lock needs and a volatile alone does not give.  Returns: 0, EDEADLK (called from fn itself).
 */
typedef struct weft_once {
	uint32_t		lock, state;
	struct weft_thread	*runner;
	struct weft_waitq	q;
} weft_once;
#define WEFT_ONCE_INIT	{ 0, 0, NULL, { NULL, NULL } }
int weft_once_do(weft_once *o, void (*fn)(void));

/** weft_barrier_init, weft_barrier_wait, weft_barrier_wait_until, weft_barrier_destroy - wait until count threads have come
 *
 * Returns: 0, or WEFT_BARRIER_SERIAL to exactly one of them.  A thread that gives up (ETIMEDOUT, ECANCELED) is no
 * longer counted.  EBUSY: destroy while waited for.  EINVAL: count 0.
 */
typedef struct weft_barrier {
	uint32_t		lock, count, arrived, pad;
	struct weft_waitq	q;
} weft_barrier;
#define WEFT_BARRIER_SERIAL	(-1)
int weft_barrier_init(weft_barrier *b, unsigned int count);
int weft_barrier_wait(weft_barrier *b);
int weft_barrier_wait_until(weft_barrier *b, weft_time_t deadline);
int weft_barrier_destroy(weft_barrier *b);

/** weft_wg_init, weft_wg_add, weft_wg_done, weft_wg_wait, weft_wg_wait_until, weft_wg_destroy - wait groups
 *
 * A count of things under way; wait returns when it is 0.  Returns: 0, EINVAL (the count would go below 0, and stays),
 * EBUSY, ETIMEDOUT, ECANCELED.
 */
typedef struct weft_wg {
	uint32_t		lock;
	int32_t			count;
	struct weft_waitq	q;
} weft_wg;
#define WEFT_WG_INIT	{ 0, 0, { NULL, NULL } }
int weft_wg_init(weft_wg *w);
int weft_wg_add(weft_wg *w, int n);
int weft_wg_done(weft_wg *w);
int weft_wg_wait(weft_wg *w);
int weft_wg_wait_until(weft_wg *w, weft_time_t deadline);
int weft_wg_destroy(weft_wg *w);

/** weft_chan_create, weft_chan_send, weft_chan_send_until, weft_chan_trysend, weft_chan_recv, weft_chan_recv_until, weft_chan_tryrecv, weft_chan_close, weft_chan_len, weft_chan_free - typed pipes between threads
 *
 * Elements of elem_size bytes are copied.  capacity 0: send and receive meet.  After close sends fail with EPIPE,
 * receivers get what is buffered and then EPIPE.  Returns: 0, EAGAIN (try forms), EPIPE, EBUSY (free while waited on),
 * ETIMEDOUT, ECANCELED.
 */
typedef struct weft_chan weft_chan;
weft_chan *weft_chan_create(size_t elem_size, size_t capacity);
int weft_chan_send(weft_chan *c, const void *elem);
int weft_chan_send_until(weft_chan *c, const void *elem, weft_time_t deadline);
int weft_chan_trysend(weft_chan *c, const void *elem);
int weft_chan_recv(weft_chan *c, void *elem);
int weft_chan_recv_until(weft_chan *c, void *elem, weft_time_t deadline);
int weft_chan_tryrecv(weft_chan *c, void *elem);
int weft_chan_close(weft_chan *c);
size_t weft_chan_len(weft_chan *c);
int weft_chan_free(weft_chan *c);

/** weft_select - wait for the first of several channel operations
 *
 * Does exactly one of the cases, a random one of those that can go at once, and returns its index with its result (0 or
 * EPIPE) in result.  A case with chan NULL never goes.  Deadline 0 means do not wait.
 *
 * Returns: the index, or -EAGAIN (deadline 0 and none ready), -ETIMEDOUT, -ECANCELED, -EINVAL (none or above 64).
 */
struct weft_case {
	weft_chan	*chan;
	void		*elem;		/* sent from or received into here */
	int		send;		/* not 0: send */
	int		result;
};
int weft_select(struct weft_case *cases, unsigned int n, weft_time_t deadline);

/** weft_scope_open, weft_scope_spawn, weft_scope_cancel, weft_scope_close - structured concurrency
 *
 * A scope lives in the parent's frame; close waits for every child, whatever happens: a deadline or the parent's
 * cancellation cancels the children first and then still waits for them.  A child that returns a non-NULL result has
 * failed; the first failure is kept and cancels its siblings when WEFT_SCOPE_FAIL_FAST was given.
 *
 * Returns: close: 0, ETIMEDOUT (deadline passed), ECANCELED (the parent was cancelled); *failure the first failure.
 */
typedef struct weft_scope {
	weft_mutex	m;
	weft_cond	c;
	struct weft_scope_child *children;
	void		*failure;
	weft_time_t	deadline;
	unsigned int	flags, running;
	int		cancelled;
} weft_scope;
#define WEFT_SCOPE_FAIL_FAST	1u
int weft_scope_open(weft_scope *s, unsigned int flags, weft_time_t deadline);
int weft_scope_spawn(weft_scope *s, const weft_attr *attr, void *(*fn)(void *), void *arg);
int weft_scope_cancel(weft_scope *s);
int weft_scope_close(weft_scope *s, void **failure);

/** weft_read, weft_write, weft_readv, weft_writev, weft_recv, weft_send, weft_recvfrom, weft_sendto, weft_accept, weft_connect, weft_read_until, weft_write_until, weft_readv_until, weft_writev_until, weft_recv_until, weft_send_until, weft_accept_until, weft_connect_until, weft_pread, weft_pwrite, weft_fsync, weft_pread_until, weft_pwrite_until, weft_fsync_until, weft_close - I/O that stops only the calling thread
 *
 * On any descriptor, blocking or not, without changing its flags: tried without blocking first; when it would block
 * the thread waits for readiness (epoll) and others run; what has no readiness (regular files) goes through io_uring
 * where the kernel has it and through a helper thread elsewhere.  Close descriptors used here with weft_close (threads
 * that wait on them get -EBADF).  In 1:1 the thread simply waits in the kernel, in poll.  A write to a regular file that a deadline or
 * a cancellation ends may take place all the same; in 1:1 an operation on one without a deadline ends by itself, and a
 * cancellation takes effect before it begins.
 *
 * Returns: the count (accept: the descriptor), or a negative errno; -ETIMEDOUT, -ECANCELED.
 */
ssize_t weft_read(int fd, void *buf, size_t n);
ssize_t weft_write(int fd, const void *buf, size_t n);
ssize_t weft_read_until(int fd, void *buf, size_t n, weft_time_t deadline);
ssize_t weft_write_until(int fd, const void *buf, size_t n, weft_time_t deadline);
ssize_t weft_readv(int fd, const struct iovec *iov, int n);
ssize_t weft_writev(int fd, const struct iovec *iov, int n);
ssize_t weft_recv(int fd, void *buf, size_t n, int flags);
ssize_t weft_send(int fd, const void *buf, size_t n, int flags);
ssize_t weft_readv_until(int fd, const struct iovec *iov, int n, weft_time_t deadline);
ssize_t weft_writev_until(int fd, const struct iovec *iov, int n, weft_time_t deadline);
ssize_t weft_recv_until(int fd, void *buf, size_t n, int flags, weft_time_t deadline);
ssize_t weft_send_until(int fd, const void *buf, size_t n, int flags, weft_time_t deadline);
ssize_t weft_recvfrom(int fd, void *buf, size_t n, int flags, struct sockaddr *addr, socklen_t *len);
ssize_t weft_sendto(int fd, const void *buf, size_t n, int flags, const struct sockaddr *addr, socklen_t len);
int weft_accept(int fd, struct sockaddr *addr, socklen_t *len);
int weft_connect(int fd, const struct sockaddr *addr, socklen_t len);
int weft_accept_until(int fd, struct sockaddr *addr, socklen_t *len, weft_time_t deadline);
int weft_connect_until(int fd, const struct sockaddr *addr, socklen_t len, weft_time_t deadline);
ssize_t weft_pread(int fd, void *buf, size_t n, off_t offset);
ssize_t weft_pwrite(int fd, const void *buf, size_t n, off_t offset);
int weft_fsync(int fd);
ssize_t weft_pread_until(int fd, void *buf, size_t n, off_t offset, weft_time_t deadline);
ssize_t weft_pwrite_until(int fd, const void *buf, size_t n, off_t offset, weft_time_t deadline);
int weft_fsync_until(int fd, weft_time_t deadline);
int weft_close(int fd);

/** weft_poll, weft_wait_fd, weft_waitpid, weft_waitpid_until, weft_getaddrinfo, weft_getaddrinfo_until, weft_blocking, weft_blocking_until - other things that block
 *
 * weft_poll as poll(2), timeout in milliseconds.  weft_wait_fd waits for POLLIN or POLLOUT of one descriptor.
 * weft_waitpid waits through a pidfd, else a helper.  weft_getaddrinfo returns its own EAI_ codes, or -ETIMEDOUT, -ECANCELED
 * (no EAI_ code has these values).  weft_blocking runs fn(arg) on a helper thread and returns its value: for any call that
 * the library cannot turn into a non-blocking one; it waits for the end of fn whatever happens, since arg may be the caller's.
 * weft_blocking_until waits until the deadline or a cancellation at most: then fn runs on by itself, and its value goes to
 * dispose (which may be NULL), on the helper; what arg points to must live that long.
 *
 * Returns: weft_blocking_until: 0 (fn has run; *result its value), ETIMEDOUT, ECANCELED, ENOMEM.
 */
int weft_poll(struct pollfd *fds, unsigned long n, int timeout_ms);
int weft_wait_fd(int fd, int events, weft_time_t deadline);
pid_t weft_waitpid(pid_t pid, int *status, int options);
pid_t weft_waitpid_until(pid_t pid, int *status, int options, weft_time_t deadline);
int weft_getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **result);
int weft_getaddrinfo_until(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **result,
			   weft_time_t deadline);
void *weft_blocking(void *(*fn)(void *), void *arg);
int weft_blocking_until(void *(*fn)(void *), void *arg, void **result, void (*dispose)(void *result), weft_time_t deadline);

/** weft_dump, weft_find_deadlock, weft_get_stats - seeing what goes on
 *
 * weft_dump writes every thread with its state, what it waits for, who holds that, and its back trace (programs built
 * with -fno-omit-frame-pointer get whole ones).  weft_find_deadlock writes the first cycle of waits that it finds into
 * the buffer ("A waits for mutex 0x.. held by B, B waits ...") and returns its length in threads, 0 for none.
 */
struct weft_stats {
	unsigned long	threads, switches, steals, parks, preemptions, helpers, workers, polls, replaced;
};
void weft_dump(int fd);
int weft_find_deadlock(char *buffer, size_t size);
void weft_get_stats(struct weft_stats *out);

#ifdef __cplusplus
}
#endif
#endif
