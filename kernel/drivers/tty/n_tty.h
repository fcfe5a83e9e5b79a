/*
 * n_tty.h: the state of the line discipline of one terminal, shared by its two halves: n_tty.c (what comes in, is
 * edited and echoed) and n_tty_file.c (what programs read and write).
 */
#ifndef N_TTY_H
#define N_TTY_H

#include <weft/tty.h>
#include <weft/bitops.h>
#include <weft/workqueue.h>

#define N_TTY_LINE_SIZE		4096	/* longest line, with its end */
#define N_TTY_MASTER_SIZE	16384	/* a pty master reads raw: more room, fewer switches */
#define N_TTY_ECHO_SIZE		4096

/*
 * Input is a ring of free-running positions:
 *
 *      tail            canon_head              head
 *       | whole lines, readable | the line being edited |
 *
 * A set bit in line_ends marks the last byte of a line.  An end of file (Ctrl-D) is a marked zero byte, which reading
 * swallows.  In raw mode everything up to head is readable and canon_head stands still.
 */
struct n_tty_data {
	spinlock_t	lock;			/* class: n_tty; guards all but the mutexes */
	struct tty_struct *tty;			/* [I] */
	struct ktermios	t;			/* what tty->termios was when it was last set */
	bool		icanon;			/* ICANON without EXTPROC */
	bool		plain;			/* input passes unchanged: no flag that looks at it is set */
	unsigned long	special[256 / 64];	/* bytes that mean something under the present flags */

	u8		*buf;			/* [I] the ring, size bytes */
	unsigned long	*line_ends;		/* a bit for each byte of buf */
	size_t		size;			/* [I] a power of two */
	size_t		tail, canon_head, head;
	bool		full;			/* somebody was told that there is no room */
	bool		lnext;			/* the next byte is taken literally (Ctrl-V) */
	bool		erasing;		/* between "\" and "/" of ECHOPRT */
	bool		push;			/* what became a line by a change to ICANON: its last byte is no end of file */

	/* Output that waits for the driver: echoes, and the rare byte that the driver took back its room for. */
	u8		echo[N_TTY_ECHO_SIZE];
	unsigned int	echo_head, echo_tail;
	unsigned int	column;			/* where the cursor is, as far as one can know */
	unsigned int	canon_column;		/* where it was when the line being edited began */

	struct mutex	output_lock;		/* class: n_tty_output: one sequence of driver->write at a time */
	struct mutex	read_lock;		/* class: n_tty_read: one read(2) at a time */
	struct work_struct echo_work;
};

static inline size_t n_tty_used(const struct n_tty_data *ld) { return ld->head - ld->tail; }
static inline u8 n_tty_at(const struct n_tty_data *ld, size_t pos) { return ld->buf[pos & (ld->size - 1)]; }
static inline bool n_tty_is_end(const struct n_tty_data *ld, size_t pos)
{
	return test_bit(pos & (ld->size - 1), ld->line_ends);
}

/* n_tty.c */
int n_tty_output_char(struct n_tty_data *ld, u8 c, u8 *out, int space) __must_hold(&ld->lock);
void n_tty_flush_echoes(struct n_tty_data *ld);
void __n_tty_flush_echoes(struct n_tty_data *ld) __must_hold(&ld->output_lock);
void n_tty_push_output(struct n_tty_data *ld, const u8 *buf, size_t n);
void n_tty_flush_buffer(struct tty_struct *tty);
void n_tty_set_termios(struct tty_struct *tty, const struct ktermios *old);
size_t n_tty_receive_buf(struct tty_struct *tty, const u8 *buf, const u8 *flags, size_t count);
size_t n_tty_receive_room(struct tty_struct *tty);

/* n_tty_file.c */
ssize_t n_tty_read(struct tty_struct *tty, struct file *file, u8 *buf, size_t nr);
ssize_t n_tty_write(struct tty_struct *tty, struct file *file, const u8 *buf, size_t nr);
__poll_t n_tty_poll(struct tty_struct *tty, struct file *file, struct poll_table_struct *wait);
int n_tty_ioctl(struct tty_struct *tty, struct file *file, unsigned int cmd, unsigned long arg);

#endif
