/*
 * random.c: random bytes.
 *
 * What:    get_random_bytes() for the kernel, getrandom(2) and the bytes of /dev/random and /dev/urandom for programs.
 * Idea:    unpredictable events (time stamps of interrupts, the processor's RDRAND, the boot time, device identities) are
 *          absorbed into a pool: a sponge over the ChaCha permutation, 256 bits of it never shown.  From the pool comes
 *          a key; each CPU derives its own key from that and makes its bytes with ChaCha20.  Every request first
 *          replaces the CPU's key by bytes of its own stream, so what is found in memory later says nothing about what
 *          was given out before.
 *          With RDRAND there are 256 bits of entropy before the first caller; without, a getrandom() that has to wait
 *          measures the jitter of its own execution until there are.
 * Locking: pool_lock (irq-safe): pool, base key, credit.  A CPU's key and its interrupt pool: [c] with interrupts off.
 * See:     getrandom(2), random(7); "Fast-key-erasure random-number generators" (Bernstein)
 */
#include <weft/random.h>
#include <weft/arch.h>
#include <weft/init.h>
#include <weft/kernel.h>
#include <weft/percpu.h>
#include <weft/personality.h>
#include <weft/sched.h>
#include <weft/signal.h>
#include <weft/spinlock.h>
#include <weft/string.h>
#include <weft/syscalls.h>
#include <weft/timekeeping.h>
#include <weft/uaccess.h>
#include <asm/msr.h>
#include <asm/page.h>
#include <uapi/random.h>
#include "chacha.h"

#define READY_BITS	256
#define ABSORB_BYTES	32			/* of 64: the other 32 are the sponge's capacity */
#define RESEED_NS	(60ull * NSEC_PER_SEC)

int randomize_va_space = 2;			/* [-] personality.h: are address spaces laid out at random? */

static DEFINE_SPINLOCK(pool_lock);
static u32 pool[16];				/* [pool_lock] */
static unsigned int absorbed;			/* [pool_lock] bytes since the last permutation */
static unsigned int credit;			/* [pool_lock] bits of entropy, up to READY_BITS */
static u8 base_key[CHACHA_KEY_BYTES];		/* [pool_lock] */
static u64 base_generation;			/* [pool_lock] counts new base keys; CPUs compare theirs; 0: none yet */
static u64 last_reseed;				/* [pool_lock] sched_clock() */

/* A CPU's generator. */
struct crng {
	u8	key[CHACHA_KEY_BYTES];		/* [c] interrupts off */
	u64	generation;			/* [c] of the base key that key came from */
};
static DEFINE_PER_CPU(struct crng, crngs);

/* What interrupts leave behind, until there is enough to be worth a lock. */
struct fast_pool {
	u64		mix[2];			/* [c] interrupts off */
	unsigned int	count;
	u64		last;			/* when it was emptied */
};
static DEFINE_PER_CPU(struct fast_pool, fast_pools);

/* ---- the pool ---- */

static void absorb(const void *data, size_t len) __must_hold(&pool_lock)
{
	u8 *bytes = (u8 *)pool;

	for (const u8 *p = data; len; p++, len--) {
		bytes[absorbed++] ^= *p;
		if (absorbed == ABSORB_BYTES) {
			chacha_permute(pool);
			absorbed = 0;
		}
	}
}

static void absorb_hardware(void) __must_hold(&pool_lock)
{
	unsigned long word;
	u64 tsc = rdtsc();
	int got = 0;

	absorb(&tsc, sizeof(tsc));
	for (int i = 0; i < 8; i++)
		if (arch_get_random_long(&word)) {
			absorb(&word, sizeof(word));
			got++;
		}
	if (got == 8)
		credit = READY_BITS;
}

/* A new base key out of the pool; what was squeezed out is overwritten inside, so the pool cannot be run backwards. */
static void new_base_key(void) __must_hold(&pool_lock)
{
	absorb_hardware();
	chacha_permute(pool);
	memcpy(base_key, pool, sizeof(base_key));
	memset(pool, 0, ABSORB_BYTES);
	chacha_permute(pool);
	absorbed = 0;
	base_generation++;
	last_reseed = sched_clock();
}

/* Absorbs, with `bits` of credit.  Any context. */
static void mix_in(const void *data, size_t len, unsigned int bits)
{
	unsigned long flags;
	bool was_ready;

	spin_lock_irqsave(&pool_lock, flags);
	absorb(data, len);
	was_ready = credit == READY_BITS;
	credit = min(credit + bits, (unsigned int)READY_BITS);
	if (!was_ready && credit == READY_BITS)
		new_base_key();
	spin_unlock_irqrestore(&pool_lock, flags);
}

void add_device_randomness(const void *buf, size_t len)
{
	u64 tsc = rdtsc();

	mix_in(&tsc, sizeof(tsc), 0);
	mix_in(buf, len, 0);
}

void add_hwgenerator_randomness(const void *buf, size_t len, size_t entropy)
{
	mix_in(buf, len, (unsigned int)min(entropy, len * 8));
}

/* Interrupts off.  The low bits of the time stamp of an interrupt are what nobody outside can know. */
void add_interrupt_randomness(int irq)
{
	struct fast_pool *f = this_cpu_ptr(&fast_pools);
	u64 now = rdtsc();

	f->mix[0] = rol64(f->mix[0] ^ now, 17) * 0x9e3779b97f4a7c15ull;
	f->mix[1] = rol64(f->mix[1] ^ f->mix[0] ^ (unsigned int)irq, 29);
	if (likely(++f->count < 64))
		return;
	if (credit >= READY_BITS && now - f->last < 1ull << 31)	/* about a second */
		return;
	mix_in(f->mix, sizeof(f->mix), 1);
	f->count = 0;
	f->last = now;
}

bool rng_is_initialized(void)
{
	return READ_ONCE(credit) >= READY_BITS;
}

/* ---- making bytes ---- */

/* A fresh key for this CPU if the base key is newer, or old enough to be replaced.  Interrupts off. */
static void refresh_key(struct crng *c)
{
	u32 state[16];
	u8 block[CHACHA_BLOCK_BYTES];

	if (likely(c->generation && c->generation == READ_ONCE(base_generation) &&
		   sched_clock() - READ_ONCE(last_reseed) < RESEED_NS))
		return;
	spin_lock(&pool_lock);
	if (!base_generation || sched_clock() - last_reseed >= RESEED_NS)
		new_base_key();
	chacha_init(state, base_key);
	chacha_block(state, block);
	memcpy(base_key, block, CHACHA_KEY_BYTES);
	memcpy(c->key, block + CHACHA_KEY_BYTES, CHACHA_KEY_BYTES);
	c->generation = base_generation;
	spin_unlock(&pool_lock);
	memzero_explicit(state, sizeof(state));
	memzero_explicit(block, sizeof(block));
}

/* Starts a stream for one request: up to 32 bytes come at once, state goes on for more. */
static void start_stream(u32 state[16], u8 *first, size_t len)
{
	u8 block[CHACHA_BLOCK_BYTES];
	unsigned long flags;
	struct crng *c;

	local_irq_save(flags);
	c = this_cpu_ptr(&crngs);
	refresh_key(c);
	chacha_init(state, c->key);
	chacha_block(state, block);
	memcpy(c->key, block, CHACHA_KEY_BYTES);
	local_irq_restore(flags);
	memcpy(first, block + CHACHA_KEY_BYTES, len);
	memzero_explicit(block, sizeof(block));
}

void get_random_bytes(void *buf, size_t len)
{
	size_t n = min(len, (size_t)CHACHA_KEY_BYTES);
	u8 *p = buf, block[CHACHA_BLOCK_BYTES];
	u32 state[16];

	start_stream(state, p, n);
	for (p += n, len -= n; len; p += n, len -= n) {
		chacha_block(state, block);
		n = min(len, sizeof(block));
		memcpy(p, block, n);
	}
	memzero_explicit(state, sizeof(state));
	memzero_explicit(block, sizeof(block));
}

/* Single numbers come from a batch: two blocks' work serves twelve of them. */
#define BATCH_WORDS	12

struct batch {
	u64		words[BATCH_WORDS];	/* [c] interrupts off */
	unsigned int	left;
	u64		generation;		/* of the base key at that time: numbers from an old one are not used */
};
static DEFINE_PER_CPU(struct batch, batches);

u64 get_random_u64(void)
{
	unsigned long flags;
	struct batch *b;
	u64 v;

	local_irq_save(flags);
	b = this_cpu_ptr(&batches);
	if (!b->left || b->generation != READ_ONCE(base_generation)) {
		b->generation = READ_ONCE(base_generation);
		get_random_bytes(b->words, sizeof(b->words));
		b->left = BATCH_WORDS;
	}
	v = b->words[--b->left];
	b->words[b->left] = 0;		/* what was given out is not to be found in memory */
	local_irq_restore(flags);
	return v;
}

u32 get_random_u32(void)
{
	return (u32)get_random_u64();
}

/* The high half of a product is even up to a remainder; the few values that would tip the balance are drawn again. */
u32 get_random_u32_below(u32 ceil)
{
	u64 product = (u64)get_random_u32() * ceil;

	if ((u32)product < ceil) {
		u32 surplus = -ceil % ceil;

		while ((u32)product < surplus)
			product = (u64)get_random_u32() * ceil;
	}
	return product >> 32;
}

/* ---- waiting until there is enough ---- */

/* Jitter: how long the same work takes, with the scheduler in between, differs in its low bits each time. */
static void gather_jitter(void)
{
	u64 samples[8];

	for (unsigned int i = 0; i < ARRAY_SIZE(samples); i++) {
		u64 start = rdtsc();

		schedule_timeout_interruptible(1);
		samples[i] = rdtsc() - start;
	}
	mix_in(samples, sizeof(samples), ARRAY_SIZE(samples));
}

int wait_for_random_bytes(void)
{
	while (!rng_is_initialized()) {
		if (signal_pending(current))
			return -ERESTARTSYS;
		gather_jitter();
	}
	return 0;
}

/* ---- getrandom(2) ---- */

/* Copies random bytes to the user; the number copied, or -EFAULT when there was none. */
static long random_to_user(char __user *buf, size_t count)
{
	u8 block[256];
	size_t done = 0;

	while (done < count) {
		size_t n = min(count - done, sizeof(block)), missing;

		get_random_bytes(block, n);
		missing = copy_to_user(buf + done, block, n);
		done += n - missing;
		if (missing)
			break;
		if (done % PAGE_SIZE == 0) {
			if (signal_pending(current))
				break;
			cond_resched();
		}
	}
	memzero_explicit(block, sizeof(block));
	return done || !count ? (long)done : -EFAULT;
}

long sys_getrandom(char __user *buf, size_t count, unsigned int flags)
{
	if (flags & ~(GRND_NONBLOCK | GRND_RANDOM | GRND_INSECURE))
		return -EINVAL;
	if ((flags & (GRND_INSECURE | GRND_RANDOM)) == (GRND_INSECURE | GRND_RANDOM))
		return -EINVAL;
	if (!rng_is_initialized() && !(flags & GRND_INSECURE)) {
		int err = flags & GRND_NONBLOCK ? -EAGAIN : wait_for_random_bytes();

		if (err)
			return err;
	}
	return random_to_user(buf, min(count, (size_t)(INT_MAX & PAGE_MASK)));
}

/* The first seed, unless somebody needed random bytes before. */
static int __init random_init(void)
{
	u64 now = ktime_get_real_ns();

	add_device_randomness(&now, sizeof(now));
	add_device_randomness(saved_command_line, strlen(saved_command_line));
	get_random_u64();
	return 0;
}
core_initcall(random_init);
