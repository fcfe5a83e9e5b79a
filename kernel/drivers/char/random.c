/*
 * random.c: random bytes: the generator, its seeding, getrandom(2), /dev/random and /dev/urandom.
 *
 * Idea:    the state is one 256-bit ChaCha20 key.  A request makes one block under the lock: its first half becomes the new
 *          key at once (so an attacker who reads the state later learns nothing of the past), its second half is the key
 *          of the request's own stream, which is made outside the lock.  Input is xored into the key and put through a
 *          block; as long as the key is secret, mixing in known or hostile bytes does no harm.
 *          Entropy is counted until 256 bits have come, then the generator is ready for good.  A processor with RDRAND
 *          makes it ready at once; else interrupt times do, and who waits adds timing jitter.
 * Locking: base_lock (irq-safe, innermost): the key and the count.
 * See:     spec.md §10; random(7), getrandom(2); RFC 8439
 */
#include <weft/kernel.h>
#include <weft/init.h>
#include <weft/string.h>
#include <weft/bitops.h>
#include <weft/mm.h>
#include <weft/percpu.h>
#include <weft/spinlock.h>
#include <weft/sched.h>
#include <weft/signal.h>
#include <weft/cred.h>
#include <weft/wait.h>
#include <weft/poll.h>
#include <weft/fs.h>
#include <weft/uio.h>
#include <weft/uaccess.h>
#include <weft/arch.h>
#include <weft/timekeeping.h>
#include <weft/random.h>
#include <weft/syscalls.h>
#include <asm/tsc.h>
#include <uapi/random.h>
#include "internal.h"

#define READY_BITS	256
#define KEY_WORDS	8
#define BLOCK_WORDS	16

static DEFINE_SPINLOCK(base_lock);
static u32 base_key[KEY_WORDS];			/* [base_lock] */
static u64 base_counter;			/* [base_lock] never the same block twice, even after a mix of zeros */
static unsigned int entropy_bits;		/* [base_lock]; at READY_BITS it stays */
static DECLARE_WAIT_QUEUE_HEAD(ready_wait);

/* ---- ChaCha20 ---- */

static inline void quarter_round(u32 *x, int a, int b, int c, int d)
{
	x[a] += x[b]; x[d] = rol32(x[d] ^ x[a], 16);
	x[c] += x[d]; x[b] = rol32(x[b] ^ x[c], 12);
	x[a] += x[b]; x[d] = rol32(x[d] ^ x[a], 8);
	x[c] += x[d]; x[b] = rol32(x[b] ^ x[c], 7);
}

static void chacha20_block(const u32 key[KEY_WORDS], u64 counter, u32 out[BLOCK_WORDS])
{
	u32 in[BLOCK_WORDS] = { 0x61707865, 0x3320646e, 0x79622d32, 0x6b206574 };

	memcpy(in + 4, key, KEY_WORDS * sizeof(u32));
	in[12] = counter;
	in[13] = counter >> 32;
	memcpy(out, in, sizeof(in));
	for (int i = 0; i < 10; i++) {
		quarter_round(out, 0, 4, 8, 12);
		quarter_round(out, 1, 5, 9, 13);
		quarter_round(out, 2, 6, 10, 14);
		quarter_round(out, 3, 7, 11, 15);
		quarter_round(out, 0, 5, 10, 15);
		quarter_round(out, 1, 6, 11, 12);
		quarter_round(out, 2, 7, 8, 13);
		quarter_round(out, 3, 4, 9, 14);
	}
	for (int i = 0; i < BLOCK_WORDS; i++)
		out[i] += in[i];
}

/* ---- in ---- */

static void mix_locked(const void *buf, size_t len)
{
	const u8 *p = buf;
	u32 block[BLOCK_WORDS];

	lockdep_assert_held(&base_lock);
	while (len) {
		size_t n = min(len, sizeof(base_key));

		for (size_t i = 0; i < n; i++)
			((u8 *)base_key)[i] ^= p[i];
		chacha20_block(base_key, base_counter++, block);
		memcpy(base_key, block, sizeof(base_key));
		p += n;
		len -= n;
	}
	memzero_explicit(block, sizeof(block));
}

/* Mixes in and counts.  True when that made the generator ready. */
static bool mix_and_credit(const void *buf, size_t len, unsigned int bits)
{
	bool became_ready;
	unsigned long flags;

	spin_lock_irqsave(&base_lock, flags);
	mix_locked(buf, len);
	became_ready = entropy_bits < READY_BITS && entropy_bits + bits >= READY_BITS;
	WRITE_ONCE(entropy_bits, min_t(unsigned int, entropy_bits + bits, READY_BITS));
	spin_unlock_irqrestore(&base_lock, flags);
	return became_ready;
}

void add_device_randomness(const void *buf, size_t len)
{
	u64 now = get_cycles();

	mix_and_credit(&now, sizeof(now), 0);
	mix_and_credit(buf, len, 0);
}

void add_hwgenerator_randomness(const void *buf, size_t len, size_t entropy)
{
	if (mix_and_credit(buf, len, min_t(size_t, entropy, len * 8)))
		wake_up_interruptible_all(&ready_wait);
}

/* Interrupt times gather per CPU and are mixed in 64 at a time, counted as one bit for each eight: they are not independent. */
struct fast_pool {
	u64		words[4];
	unsigned int	count;
};
static DEFINE_PER_CPU(struct fast_pool, irq_randomness);	/* [c] in interrupts */

void add_interrupt_randomness(int irq)
{
	struct fast_pool *pool = this_cpu_ptr(&irq_randomness);
	u64 *word = &pool->words[pool->count & 3];

	*word = rol64(*word, 19) ^ get_cycles() ^ ((u64)irq << 48);
	if (++pool->count < 64)
		return;
	pool->count = 0;
	if (mix_and_credit(pool->words, sizeof(pool->words), 8))
		wake_up_interruptible_all(&ready_wait);
}

/* Called once, early; and by the first user if that is earlier still. */
void random_init_early(void)
{
	unsigned long seed[4];
	unsigned int bits = 0;

	for (size_t i = 0; i < ARRAY_SIZE(seed); i++) {
		if (arch_get_random_long(&seed[i]))
			bits += BITS_PER_LONG;
		else
			seed[i] = get_cycles();
	}
	mix_and_credit(seed, sizeof(seed), bits);
	memzero_explicit(seed, sizeof(seed));
}

/* ---- out ---- */

/* Takes a key for one request; the state moves on. */
static void take_key(u32 key[KEY_WORDS])
{
	u64 now = get_cycles();
	u32 block[BLOCK_WORDS];
	unsigned long flags;

	if (!READ_ONCE(base_counter))
		random_init_early();
	spin_lock_irqsave(&base_lock, flags);
	if (entropy_bits < READY_BITS)
		mix_locked(&now, sizeof(now));
	chacha20_block(base_key, base_counter++, block);
	memcpy(base_key, block, sizeof(base_key));
	spin_unlock_irqrestore(&base_lock, flags);
	memcpy(key, block + KEY_WORDS, KEY_WORDS * sizeof(u32));
	memzero_explicit(block, sizeof(block));
}

void get_random_bytes(void *buf, size_t len)
{
	u32 key[KEY_WORDS], block[BLOCK_WORDS];
	u64 counter = 0;

	take_key(key);
	while (len) {
		size_t n = min(len, sizeof(block));

		chacha20_block(key, counter++, block);
		memcpy(buf, block, n);
		buf += n;
		len -= n;
	}
	memzero_explicit(key, sizeof(key));
	memzero_explicit(block, sizeof(block));
}

u32 get_random_u32(void)
{
	u32 v;

	get_random_bytes(&v, sizeof(v));
	return v;
}

u64 get_random_u64(void)
{
	u64 v;

	get_random_bytes(&v, sizeof(v));
	return v;
}

/* Lemire's way: the high half of a product; what would favour some results is thrown away. */
u32 get_random_u32_below(u32 ceil)
{
	u64 product;

	if (ceil <= 1)
		return 0;
	do {
		product = (u64)get_random_u32() * ceil;
	} while ((u32)product < (u32)(-ceil) % ceil);
	return product >> 32;
}

unsigned long randomize_page(unsigned long start, unsigned long range)
{
	start = PAGE_ALIGN(start);
	range >>= PAGE_SHIFT;
	if (!range)
		return start;
	return start + (get_random_long() % range << PAGE_SHIFT);
}

bool rng_is_initialized(void)
{
	return READ_ONCE(entropy_bits) >= READY_BITS;
}

/* Sleeping a tick and looking at the cycle counter gives a few bits each time: nobody waits for more than a second. */
int wait_for_random_bytes(void)
{
	while (!rng_is_initialized()) {
		u64 now;

		schedule_timeout_interruptible(1);
		if (signal_pending(current))
			return -ERESTARTSYS;
		now = get_cycles();
		if (mix_and_credit(&now, sizeof(now), 4))
			wake_up_interruptible_all(&ready_wait);
	}
	return 0;
}

/* ---- user space ---- */

/* Fills the iterator.  A large request can be interrupted after each page. */
static ssize_t random_to_iter(struct iov_iter *to)
{
	u32 key[KEY_WORDS], block[BLOCK_WORDS];
	u64 counter = 0;
	size_t done = 0;

	if (!iov_iter_count(to))
		return 0;
	take_key(key);
	while (iov_iter_count(to)) {
		size_t want = min(iov_iter_count(to), sizeof(block)), n;

		chacha20_block(key, counter++, block);
		n = copy_to_iter(block, want, to);
		done += n;
		if (n < want)
			break;
		if (done % PAGE_SIZE == 0) {
			if (signal_pending(current))
				break;
			cond_resched();
		}
	}
	memzero_explicit(key, sizeof(key));
	memzero_explicit(block, sizeof(block));
	return done ? (ssize_t)done : -EFAULT;
}

static ssize_t urandom_read(struct kiocb *iocb, struct iov_iter *to)
{
	return random_to_iter(to);
}

static ssize_t random_read(struct kiocb *iocb, struct iov_iter *to)
{
	int err;

	if (!rng_is_initialized() && (iocb->ki_filp->f_flags & O_NONBLOCK))
		return -EAGAIN;
	err = wait_for_random_bytes();
	return err ? err : random_to_iter(to);
}

/* Anybody may stir; nothing is credited. */
static ssize_t random_write(struct kiocb *iocb, struct iov_iter *from)
{
	size_t done = 0;
	u8 buf[64];

	while (iov_iter_count(from)) {
		size_t want = min(iov_iter_count(from), sizeof(buf)), n = copy_from_iter(buf, want, from);

		mix_and_credit(buf, n, 0);
		done += n;
		if (n < want)
			return done ? (ssize_t)done : -EFAULT;
		if (done % PAGE_SIZE == 0 && signal_pending(current))
			break;
	}
	return done;
}

static __poll_t random_poll(struct file *file, struct poll_table_struct *wait)
{
	poll_wait(file, &ready_wait, wait);
	return rng_is_initialized() ? EPOLLIN | EPOLLRDNORM | EPOLLOUT | EPOLLWRNORM : EPOLLOUT | EPOLLWRNORM;
}

static int add_entropy(int __user *p)
{
	int bits, size;
	u8 buf[64];

	if (get_user(bits, p) || get_user(size, p + 1))
		return -EFAULT;
	if (bits < 0 || size < 0)
		return -EINVAL;
	for (const u8 __user *data = (const u8 __user *)(p + 2); size > 0; ) {
		int n = min_t(int, size, sizeof(buf));

		if (copy_from_user(buf, data, n))
			return -EFAULT;
		mix_and_credit(buf, n, 0);
		data += n;
		size -= n;
	}
	add_hwgenerator_randomness(&bits, sizeof(bits), 0);
	if (mix_and_credit(&bits, sizeof(bits), min(bits, READY_BITS)))
		wake_up_interruptible_all(&ready_wait);
	return 0;
}

static long random_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	int __user *p = (int __user *)arg;
	int bits;

	if (cmd == RNDGETENTCNT)
		return put_user((int)READ_ONCE(entropy_bits), p);
	if (cmd != RNDADDTOENTCNT && cmd != RNDADDENTROPY && cmd != RNDZAPENTCNT && cmd != RNDCLEARPOOL && cmd != RNDRESEEDCRNG)
		return -EINVAL;
	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	switch (cmd) {
	case RNDADDTOENTCNT:
		if (get_user(bits, p))
			return -EFAULT;
		if (bits < 0)
			return -EINVAL;
		if (mix_and_credit(&bits, sizeof(bits), min(bits, READY_BITS)))
			wake_up_interruptible_all(&ready_wait);
		return 0;
	case RNDADDENTROPY:
		return add_entropy(p);
	default:
		random_init_early();
		return 0;
	}
}

const struct file_operations random_fops = {
	.read_iter = random_read, .write_iter = random_write, .poll = random_poll, .unlocked_ioctl = random_ioctl,
	.llseek = noop_llseek,
};
const struct file_operations urandom_fops = {
	.read_iter = urandom_read, .write_iter = random_write, .unlocked_ioctl = random_ioctl, .llseek = noop_llseek,
};

long sys_getrandom(char __user *buf, size_t count, unsigned int flags)
{
	struct iov_iter iter;
	int err;

	if (flags & ~(GRND_NONBLOCK | GRND_RANDOM | GRND_INSECURE))
		return -EINVAL;
	if ((flags & (GRND_INSECURE | GRND_RANDOM)) == (GRND_INSECURE | GRND_RANDOM))
		return -EINVAL;
	if (!rng_is_initialized() && !(flags & GRND_INSECURE)) {
		if (flags & GRND_NONBLOCK)
			return -EAGAIN;
		err = wait_for_random_bytes();
		if (err)
			return err;
	}
	err = import_ubuf(ITER_DEST, buf, count, &iter);
	return err ? err : random_to_iter(&iter);
}
