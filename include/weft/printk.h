/*
 * printk.h: messages of the kernel, and its last words.
 *
 * Idea:    a message goes into a ring of records first (what /dev/kmsg and syslog(2) read), then to every console, from
 *          the caller's context, whatever that is.
 * See:     kernel/lib/printk.c, panic.c
 */
#ifndef WEFT_PRINTK_H
#define WEFT_PRINTK_H

#include <weft/types.h>
#include <weft/compiler.h>
#include <weft/stdarg.h>

#define KERN_SOH	"\001"
#define KERN_EMERG	KERN_SOH "0"
#define KERN_ALERT	KERN_SOH "1"
#define KERN_CRIT	KERN_SOH "2"
#define KERN_ERR	KERN_SOH "3"
#define KERN_WARNING	KERN_SOH "4"
#define KERN_NOTICE	KERN_SOH "5"
#define KERN_INFO	KERN_SOH "6"
#define KERN_DEBUG	KERN_SOH "7"
#define KERN_CONT	KERN_SOH "c"	/* goes on with the line before */
#define LOGLEVEL_DEFAULT 4

/* Any context.  Returns the length. */
int printk(const char *fmt, ...) __printf(1, 2);
int vprintk(const char *fmt, va_list args);

/* For "%pV": a format inside a format. */
struct va_format {
	const char	*fmt;
	va_list		*va;
};

#ifndef pr_fmt
#define pr_fmt(fmt) fmt
#endif
#define pr_emerg(fmt, ...)	printk(KERN_EMERG pr_fmt(fmt), ##__VA_ARGS__)
#define pr_alert(fmt, ...)	printk(KERN_ALERT pr_fmt(fmt), ##__VA_ARGS__)
#define pr_crit(fmt, ...)	printk(KERN_CRIT pr_fmt(fmt), ##__VA_ARGS__)
#define pr_err(fmt, ...)	printk(KERN_ERR pr_fmt(fmt), ##__VA_ARGS__)
#define pr_warn(fmt, ...)	printk(KERN_WARNING pr_fmt(fmt), ##__VA_ARGS__)
#define pr_notice(fmt, ...)	printk(KERN_NOTICE pr_fmt(fmt), ##__VA_ARGS__)
#define pr_info(fmt, ...)	printk(KERN_INFO pr_fmt(fmt), ##__VA_ARGS__)
#define pr_cont(fmt, ...)	printk(KERN_CONT fmt, ##__VA_ARGS__)
#define pr_debug(fmt, ...)	do { if (0) printk(KERN_DEBUG pr_fmt(fmt), ##__VA_ARGS__); } while (0)
#define printk_once(fmt, ...)	({ static bool __printed; if (!__printed) { __printed = true; printk(fmt, ##__VA_ARGS__); } })
#define pr_warn_once(fmt, ...)	printk_once(KERN_WARNING pr_fmt(fmt), ##__VA_ARGS__)
#define pr_err_once(fmt, ...)	printk_once(KERN_ERR pr_fmt(fmt), ##__VA_ARGS__)
#define pr_info_once(fmt, ...)	printk_once(KERN_INFO pr_fmt(fmt), ##__VA_ARGS__)
/* At most ten lines in five seconds from one place. */
struct printk_ratelimit_state { u64 begin; unsigned int printed, missed; };
bool ___printk_ratelimit(struct printk_ratelimit_state *rs);
#define printk_ratelimited(fmt, ...) ({ \
	static struct printk_ratelimit_state __rs; \
	if (___printk_ratelimit(&__rs)) \
		printk(fmt, ##__VA_ARGS__); \
})
#define pr_err_ratelimited(fmt, ...)	printk_ratelimited(KERN_ERR pr_fmt(fmt), ##__VA_ARGS__)
#define pr_warn_ratelimited(fmt, ...)	printk_ratelimited(KERN_WARNING pr_fmt(fmt), ##__VA_ARGS__)
#define pr_info_ratelimited(fmt, ...)	printk_ratelimited(KERN_INFO pr_fmt(fmt), ##__VA_ARGS__)

/* ---- the ring, as /dev/kmsg and syslog(2) read it ---- */
struct printk_info {
	u64	seq;		/* number of this record */
	u64	ts_nsec;
	u16	text_len;
	u8	facility;	/* 0 kernel, 1 user (written into /dev/kmsg) */
	u8	level;
};
/*
 * Copies the first record with a number >= seq into info and text (at most size bytes, no NUL).  Returns the length of
 * the copy, or -ENOENT when there is none yet.  info->seq > seq: records were overwritten.  Any context.
 */
int printk_read(u64 seq, struct printk_info *info, char *text, size_t size);
u64 printk_first_seq(void);
u64 printk_next_seq(void);	/* the number that the next message will get */
u64 printk_clear_seq(void);	/* first record after the last SYSLOG_ACTION_CLEAR */
void printk_set_clear_seq(u64 seq);
/* A line from user space (/dev/kmsg); prio = facility * 8 + level. */
int printk_emit(int prio, const char *text, size_t len);
struct wait_queue_head;
extern struct wait_queue_head log_wait;		/* woken after each new record */

extern int console_printk[4];			/* /proc/sys/kernel/printk */
#define console_loglevel	(console_printk[0])
#define default_message_loglevel (console_printk[1])
extern bool oops_in_progress;			/* consoles take no lock that the dead may hold */

/* Pushes what the consoles have not seen yet: after registering one. */
void console_flush_all(void);
/* The tick: wakes readers of the log on behalf of those who printed where nobody may be woken.  Interrupts off. */
void printk_tick(void);

/* ---- lib/panic.c ---- */
void panic(const char *fmt, ...) __noreturn __printf(1, 2);
extern int panic_timeout;			/* seconds until reboot; 0 never, < 0 at once */
extern int panic_on_oops;
/* Called by panic() after its own message: what else to print (the trace buffer). */
extern void (*panic_dump_hook)(void);
void add_taint(unsigned int flag);

#endif
