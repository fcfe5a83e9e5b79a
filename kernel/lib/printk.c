/*
 * printk.c: the log of the kernel and its way to the consoles.
 *
 * What:    printk() makes a record (number, time, level, text) in a ring; /dev/kmsg, syslog(2) and the consoles read the
 *          ring, each at its own pace.  Consoles are in console.c.
 * Idea:    two rings: descriptors, found by record number, and text, found by a position that only grows.  A record is
 *          there as long as its number is among the last NR_RECORDS and its text among the last TEXT_SIZE bytes; the
 *          writer moves first_seq when that ends, so nothing is ever freed or searched.
 *          A text without newline is held back in `pending` until the same context goes on with KERN_CONT, or anybody
 *          else prints.
 * Locking: log_lock guards everything here.  It is a bare lock with interrupts off: no checker, no preemption count, so
 *          that all of those may print too.  An NMI or a fault on the CPU that holds it finds itself as owner and prints
 *          straight to the consoles, without a record: the only other choice would be to wait for itself.
 *          Readers are woken in place when that is safe (interrupts on: no scheduler lock can be held), otherwise by the
 *          next tick.
 * See:     syslog(2), dmesg(1); spec.md §11 "debugging"
 */
#include <weft/printk.h>
#include <weft/init.h>
#include <weft/kernel.h>
#include <weft/sched.h>
#include <weft/smp.h>
#include <weft/spinlock.h>
#include <weft/string.h>
#include <weft/timekeeping.h>
#include <weft/wait.h>
#include <weft/proc_fs.h>
#include "printk_internal.h"

#ifdef CONFIG_DEBUG
#define TEXT_SIZE	(256u << 10)
#else
#define TEXT_SIZE	(64u << 10)
#endif
#define NR_RECORDS	(TEXT_SIZE / 64)
#define MAX_LINE	1000			/* longer messages are cut */

struct record {
	u64	ts_nsec;
	u64	pos;			/* of the text: log_text[pos % TEXT_SIZE] */
	u16	len;
	u8	facility;
	u8	level;
};

static arch_spinlock_t log_lock = __ARCH_SPIN_LOCK_UNLOCKED;
static int log_owner = -1;			/* [log_lock] the CPU that holds it; read by itself only */
static struct record log_records[NR_RECORDS];	/* [log_lock] record seq is at seq % NR_RECORDS */
static char log_text[TEXT_SIZE];		/* [log_lock] */
static u64 first_seq;				/* [log_lock] the oldest that is still there */
static u64 next_seq;				/* [log_lock] */
static u64 next_pos;				/* [log_lock] */
static u64 clear_seq;				/* [log_lock] */

/* [log_lock] a message whose end has not come yet */
static struct {
	char		text[MAX_LINE];
	unsigned int	len;			/* 0: there is none */
	const void	*owner;			/* who may go on with it: task, or CPU when in an interrupt */
	u64		ts_nsec;
	u8		level;
} pending;

static char print_buf[MAX_LINE];		/* [log_lock] the message being formatted */

DECLARE_WAIT_QUEUE_HEAD(log_wait);
static bool wake_pending;			/* [-] set after a record, cleared before a wake-up: at worst one too many */
int console_printk[4] = { 7, LOGLEVEL_DEFAULT, 1, 7 };	/* console, default, minimum, boot-time default */
bool oops_in_progress;

/*
 * Takes log_lock with interrupts off.  False: this very CPU holds it (we are an NMI or a fault inside), or it cannot be
 * had in a machine that is going down; interrupts are off all the same.
 */
static bool log_lock_irqsave(unsigned long *flags)
{
	int cpu = raw_smp_processor_id();

	raw_local_irq_save(*flags);
	if (READ_ONCE(log_owner) == cpu)
		return false;
	for (unsigned long tries = 0; !arch_spin_trylock(&log_lock); tries++) {
		if (oops_in_progress && tries > 10 * 1000 * 1000)
			return false;
		cpu_relax();
	}
	WRITE_ONCE(log_owner, raw_smp_processor_id());
	return true;
}

static void log_unlock_irqrestore(bool locked, unsigned long flags)
{
	if (locked) {
		WRITE_ONCE(log_owner, -1);
		arch_spin_unlock(&log_lock);
	}
	raw_local_irq_restore(flags);
}

/* ---- records ---- */

static void text_in(u64 pos, const char *text, unsigned int len)
{
	unsigned int at = pos % TEXT_SIZE, first = min(len, TEXT_SIZE - at);

	memcpy(log_text + at, text, first);
	memcpy(log_text, text + first, len - first);
}

static void text_out(u64 pos, char *text, unsigned int len)
{
	unsigned int at = pos % TEXT_SIZE, first = min(len, TEXT_SIZE - at);

	memcpy(text, log_text + at, first);
	memcpy(text + first, log_text, len - first);
}

static void store_record(const char *text, unsigned int len, u8 facility, u8 level, u64 ts_nsec)
{
	u64 end = next_pos + len;

	while (first_seq < next_seq &&
	       (next_seq - first_seq >= NR_RECORDS || log_records[first_seq % NR_RECORDS].pos + TEXT_SIZE < end))
		first_seq++;
	text_in(next_pos, text, len);
	log_records[next_seq % NR_RECORDS] = (struct record){
		.ts_nsec = ts_nsec, .pos = next_pos, .len = len, .facility = facility, .level = level,
	};
	next_pos = end;
	next_seq++;
}

static void flush_pending(void)
{
	if (pending.len)
		store_record(pending.text, pending.len, 0, pending.level, pending.ts_nsec);
	pending.len = 0;
}

/* Whose message this is: continuations by others do not belong to it. */
static const void *context_id(void)
{
	return in_interrupt() ? (const void *)(1UL + raw_smp_processor_id()) : current;
}

/* "\0016text": the level, or -1; cont says whether it was KERN_CONT.  Moves *text behind it. */
static int parse_level(const char **text, bool *cont)
{
	int level = -1;

	*cont = false;
	while ((*text)[0] == KERN_SOH[0] && (*text)[1]) {
		char c = (*text)[1];

		if (c >= '0' && c <= '7')
			level = c - '0';
		else if (c == 'c')
			*cont = true;
		*text += 2;
	}
	return level;
}

/* One formatted message into the ring, or into `pending` while it lacks its newline. */
static void log_message(const char *text, unsigned int len)
{
	const char *start = text;
	bool cont, complete;
	int level = parse_level(&text, &cont);

	len -= text - start;
	complete = len && text[len - 1] == '\n';
	len -= complete;
	if (!(cont && pending.len && pending.owner == context_id())) {
		flush_pending();
		pending.level = level >= 0 ? level : default_message_loglevel;
		pending.ts_nsec = sched_clock();
		pending.owner = context_id();
	}
	if (complete && !pending.len) {
		store_record(text, len, 0, pending.level, pending.ts_nsec);
		return;
	}
	len = min(len, (unsigned int)sizeof(pending.text) - pending.len);
	memcpy(pending.text + pending.len, text, len);
	pending.len += len;
	if (complete)
		flush_pending();
}

/* ---- waking readers ---- */

static void wake_readers(void)
{
	WRITE_ONCE(wake_pending, false);
	wake_up_interruptible(&log_wait);
}

void printk_tick(void)
{
	if (unlikely(READ_ONCE(wake_pending)))
		wake_readers();
}

static void records_added(void)
{
	WRITE_ONCE(wake_pending, true);
	console_flush_all();
	if (system_state >= SYSTEM_SCHEDULING && !irqs_disabled() && !in_nmi() && !oops_in_progress)
		wake_readers();
}

/* ---- printing ---- */

/* The CPU was stopped in the middle of this file, or the lock's holder is dead: to the consoles without a record. */
static void print_unlogged(const char *fmt, va_list args)
{
	static char emergency_buf[256];		/* [-] two at once would garble a message of a dying machine */
	const char *text = emergency_buf;
	bool cont;
	int len = vscnprintf(emergency_buf, sizeof(emergency_buf), fmt, args);

	parse_level(&text, &cont);
	console_write_direct(text, (unsigned int)(emergency_buf + len - text));
}

int vprintk(const char *fmt, va_list args)
{
	unsigned long flags;
	bool locked = log_lock_irqsave(&flags);
	int len = 0;

	if (!locked) {
		print_unlogged(fmt, args);
	} else {
		len = vscnprintf(print_buf, sizeof(print_buf), fmt, args);
		log_message(print_buf, (unsigned int)len);
	}
	log_unlock_irqrestore(locked, flags);
	if (locked)
		records_added();
	return len;
}

int printk(const char *fmt, ...)
{
	va_list args;
	int len;

	va_start(args, fmt);
	len = vprintk(fmt, args);
	va_end(args);
	return len;
}

int printk_emit(int prio, const char *text, size_t len)
{
	unsigned long flags;
	bool locked = log_lock_irqsave(&flags);

	if (locked) {
		flush_pending();
		len = min(len, (size_t)MAX_LINE);
		store_record(text, (unsigned int)len, (u8)(prio >> 3), prio & 7, sched_clock());
	}
	log_unlock_irqrestore(locked, flags);
	if (locked)
		records_added();
	return 0;
}

/* Ten lines in five seconds from one place, and then a line that says how many were left out. */
bool ___printk_ratelimit(struct printk_ratelimit_state *rs)
{
	u64 now = sched_clock();
	unsigned int missed = 0;

	if (!rs->begin || now - rs->begin > 5ull * NSEC_PER_SEC) {
		missed = xchg(&rs->missed, 0);
		rs->begin = now | 1;
		rs->printed = 0;
	}
	if (missed)
		printk(KERN_WARNING "%u similar messages left out\n", missed);
	if (rs->printed < 10) {
		rs->printed++;
		return true;
	}
	__atomic_fetch_add(&rs->missed, 1, __ATOMIC_RELAXED);
	return false;
}

/* ---- reading ---- */

int printk_read(u64 seq, struct printk_info *info, char *text, size_t size)
{
	unsigned long flags;
	bool locked = log_lock_irqsave(&flags);
	int ret = -ENOENT;

	seq = max(seq, first_seq);
	if (seq < next_seq) {
		const struct record *r = &log_records[seq % NR_RECORDS];

		*info = (struct printk_info){ .seq = seq, .ts_nsec = r->ts_nsec, .text_len = r->len,
					      .facility = r->facility, .level = r->level };
		ret = (int)min((size_t)r->len, size);
		text_out(r->pos, text, (unsigned int)ret);
	}
	log_unlock_irqrestore(locked, flags);
	return ret;
}

/* In a panic: the CPU that holds the lock has been stopped and will not give it back. */
void printk_break_lock(void)
{
	if (log_owner >= 0 && log_owner != raw_smp_processor_id()) {
		WRITE_ONCE(log_owner, -1);
		arch_spin_unlock(&log_lock);
	}
}

u64 printk_first_seq(void) { return READ_ONCE(first_seq); }
u64 printk_next_seq(void) { return READ_ONCE(next_seq); }
u64 printk_clear_seq(void) { return READ_ONCE(clear_seq); }
void printk_set_clear_seq(u64 seq) { WRITE_ONCE(clear_seq, seq); }

/* ---- the command line ---- */

static int __init loglevel_setup(char *value)
{
	return kstrtoint(value, 0, &console_loglevel);
}
early_param("loglevel", loglevel_setup);

static int __init quiet_setup(char *value)
{
	console_loglevel = 4;
	return 0;
}
early_param("quiet", quiet_setup);

static int __init debug_setup(char *value)
{
	console_loglevel = 10;
	return 0;
}
early_param("debug", debug_setup);

/* What is shown on the console; the level of messages without one; the lowest allowed; the first one's at start-up. */
static const struct ctl_table printk_table[] = {
	{ "printk", console_printk, sizeof(console_printk), 0644, proc_dointvec },
	{ }
};

static int __init printk_sysctl_init(void)
{
	return register_sysctl("kernel", printk_table);
}
fs_initcall(printk_sysctl_init);
