/*
 * fbcon.c: draws the virtual console that is in front into the frame buffer.
 *
 * Idea:    shown[] is a copy of the cells as they are on the screen.  A pass takes the console's rows one at a time under
 *          vt_lock, and draws the cells that differ, without it.  The frame buffer is written, never read.
 *          The cursor is a cell with its colours exchanged.
 * Context: passes run as work, at most every PERIOD, so there is never more than one; in a panic whoever prints draws, and
 *          takes no lock that the dead may hold.
 * Locking: see vt.h.
 */
#include <weft/kernel.h>
#include <weft/slab.h>
#include <weft/string.h>
#include <weft/io.h>
#include <weft/workqueue.h>
#include <weft/kthread.h>
#include <weft/sched.h>
#include <weft/wait.h>
#include <weft/jiffies.h>
#include <weft/printk.h>
#include <weft/mm.h>
#include <weft/fb.h>
#include "vt.h"
#include "font.h"

#define PERIOD	max(HZ / 50, 1)

static struct fb_info *fb;
static cell_t *shown;			/* [o] the pass's: one work item never runs twice at once */
static bool redraw_all = true;		/* [vt_lock] shown[] is not what is on the screen */

/* The sixteen colours of the text screen, 0xRRGGBB. */
static const u32 palette[16] = {
	0x000000, 0xaa0000, 0x00aa00, 0xaa5500, 0x0000aa, 0xaa00aa, 0x00aaaa, 0xaaaaaa,
	0x555555, 0xff5555, 0x55ff55, 0xffff55, 0x5555ff, 0xff55ff, 0x55ffff, 0xffffff,
};

static void draw_cell(int x, int y, cell_t cell)
{
	u64 fg = palette[CELL_FG(cell)], bg = palette[CELL_BG(cell)];
	u8 __iomem *line = (u8 __iomem *)fb->screen_base + (size_t)y * FONT_HEIGHT * fb->fix.line_length + x * FONT_WIDTH * 4;
	u8 glyph[FONT_HEIGHT];

	font_glyph(CELL_CHAR(cell), glyph);
	if (CELL_UNDERLINE(cell))
		glyph[FONT_HEIGHT - 1] = 0xff;
	for (int row = 0; row < FONT_HEIGHT; row++, line += fb->fix.line_length) {
		u8 bits = glyph[row];

		for (int i = 0; i < FONT_WIDTH; i += 2) {
			u64 left = bits & 0x80 >> i ? fg : bg, right = bits & 0x40 >> i ? fg : bg;

			writeq(left | right << 32, line + i * 4);
		}
	}
}

static cell_t with_cursor(cell_t c)
{
	return CELL(CELL_CHAR(c), CELL_BG(c), CELL_FG(c) == CELL_BG(c) ? 7 : CELL_FG(c), CELL_UNDERLINE(c));
}

/* Row y of the console in front, with its cursor.  False: nothing is to be drawn (a program draws itself). */
static bool take_row(int y, cell_t *row, bool *all) __no_context_analysis	/* a dying machine reads without the lock */
{
	unsigned long flags;
	struct vt *vt;
	bool ok, locked = true;

	local_irq_save(flags);
	if (oops_in_progress)
		locked = spin_trylock(&vt_lock);
	else
		spin_lock(&vt_lock);
	vt = &vts[fg_console];
	ok = vt->cells && vt->kdmode == KD_TEXT;
	if (ok) {
		memcpy(row, vt->cells + y * vt_cols, vt_cols * sizeof(cell_t));
		if (vt->cursor_on && vt->y == y)
			row[vt->x] = with_cursor(row[vt->x]);
		if (y == 0) {
			*all = redraw_all;
			redraw_all = false;
		}
	}
	if (locked)
		spin_unlock(&vt_lock);
	local_irq_restore(flags);
	return ok;
}

static void draw_pass(void)
{
	cell_t row[MAX_COLS];
	bool all = false;

	for (int y = 0; y < vt_rows && take_row(y, row, &all); y++) {
		cell_t *old = shown + y * vt_cols;

		for (int x = 0; x < vt_cols; x++) {
			if (!all && row[x] == old[x])
				continue;
			draw_cell(x, y, row[x]);
			old[x] = row[x];
		}
	}
}

static void draw_work_fn(struct work_struct *work)
{
	draw_pass();
}

static DECLARE_DELAYED_WORK(draw_work, draw_work_fn);

void fbcon_changed(void)
{
	if (!fb)
		return;
	if (oops_in_progress)
		fbcon_draw_now();
	else
		queue_delayed_work(system_wq, &draw_work, PERIOD);
}

/*
 * printk may run under the timer's or the run queue's locks, where no work can be queued.  It wakes log_wait when that is
 * safe again, after the consoles have been written to; log_watch() sleeps there for us.
 */
static bool logged;			/* [-] a flag set after the cells, read after the wake-up */

void fbcon_logged(void)
{
	if (oops_in_progress)
		fbcon_draw_now();
	else
		WRITE_ONCE(logged, true);
}

static int log_watch(void *unused)
{
	for (;;) {
		wait_event_interruptible(log_wait, READ_ONCE(logged));
		WRITE_ONCE(logged, false);
		fbcon_changed();
	}
	return 0;
}

/* Called with vt_lock held. */
void fbcon_invalidate(void)
{
	redraw_all = true;
}

void fbcon_draw_now(void)
{
	if (fb)
		draw_pass();
}

int fbcon_init(struct fb_info *info)
{
	vt_cols = min_t(int, info->var.xres / FONT_WIDTH, MAX_COLS);
	vt_rows = min_t(int, info->var.yres / FONT_HEIGHT, MAX_ROWS);
	shown = kvcalloc(vt_cols * vt_rows, sizeof(cell_t), GFP_KERNEL);
	if (!shown)
		return -ENOMEM;
	fb = info;
	WARN_ON(IS_ERR(kthread_run(log_watch, NULL, "kfbcon")));	/* then the kernel's own lines wait for a program's */
	return 0;
}
