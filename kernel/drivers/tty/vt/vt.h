/*
 * vt.h: virtual consoles: what their files share.
 *
 * Idea:    a virtual console is an array of cells and a cursor.  Writing changes cells only, under vt_lock, from any context;
 *          drawing is done some milliseconds later by work that compares the cells with what is on the screen, so a flood
 *          of lines costs one redraw.  In a panic, and before there is work, the writer draws at once.
 * Locking: vt_lock (irq-safe; trylock in a panic): all consoles' cells and states, which one is in front.
 * See:     vt.c (life, terminals), emulate.c (escape sequences), fbcon.c (drawing), keyboard.c, vt_ioctl.c; console_codes(4)
 */
#ifndef VT_H
#define VT_H

#include <weft/tty.h>
#include <weft/spinlock.h>
#include <uapi/vt.h>
#include <uapi/kd.h>

struct fb_info;

#define NR_VTS		6
#define MAX_COLS	256
#define MAX_ROWS	128
#define NR_PARAMS	16

/* A cell: character (16 bits), foreground (4), background (4), underlined (1). */
typedef u32 cell_t;
#define CELL(ch, fg, bg, ul)	((cell_t)((ch) & 0xffff) | (cell_t)(fg) << 16 | (cell_t)(bg) << 20 | (cell_t)(ul) << 24)
#define CELL_CHAR(c)		((c) & 0xffff)
#define CELL_FG(c)		((c) >> 16 & 15)
#define CELL_BG(c)		((c) >> 20 & 15)
#define CELL_UNDERLINE(c)	((c) >> 24 & 1)

struct vt_attr { u8 fg, bg; bool bold, underline, reverse, blink; };

struct vt {
	int		index;			/* [I] 0 is tty1 */
	cell_t		*cells;			/* [I] rows * cols; NULL until first used; [vt_lock] contents */
	int		x, y;			/* cursor */
	bool		wrap_next;		/* the last column was written: the next character starts a new line */
	int		top, bottom;		/* scroll region, bottom exclusive */
	struct vt_attr	attr;
	struct { int x, y; struct vt_attr attr; u8 charset, g[2]; } saved;
	u8		charset, g[2];		/* G0 or G1; each: 0 plain, 1 line drawing */
	bool		cursor_on, autowrap, origin, insert, newline_mode, app_cursor, app_keypad;
	u8		tabs[MAX_COLS];
	/* the parser */
	u8		state;
	bool		question;
	unsigned int	par[NR_PARAMS];
	int		npar;
	u32		utf8;
	int		utf8_left;
	/* keyboard and switching */
	u8		kbmode;			/* K_XLATE ... */
	u8		kdmode;			/* KD_TEXT, KD_GRAPHICS */
	struct vt_mode	mode;
	struct pid	*pid;			/* of who set VT_PROCESS; a reference */
	struct tty_port	port;			/* from the keyboard, and answers to queries */
};

extern struct vt vts[NR_VTS];
extern spinlock_t vt_lock;
extern int vt_rows, vt_cols;			/* [I] */
extern int fg_console;				/* [vt_lock] index of the one in front */

/* vt.c */
int vt_init_screen(struct fb_info *info);	/* 0 or -ENOMEM; start-up */
int vt_allocate(int index);			/* 0 or -ENOMEM, -ENODEV without a screen */
void vt_reset(struct vt *vt) __must_hold(&vt_lock);
bool vt_is_open(int index);
int vt_switch(int index);			/* asks for the switch; any context; -ENXIO */
int vt_release(bool allowed);			/* VT_RELDISP; -EINVAL when nobody asked */
extern wait_queue_head_t vt_activate_wait;
/* emulate.c */
void vt_emulate(struct vt *vt, const u8 *s, int n) __must_hold(&vt_lock);
/* fbcon.c */
int fbcon_init(struct fb_info *info);		/* sets vt_rows, vt_cols */
void fbcon_changed(void);			/* something is to be drawn, soon; any context that may start a timer */
void fbcon_logged(void);			/* the same from printk: any context at all */
void fbcon_invalidate(void);			/* ... all of it */
void fbcon_draw_now(void);			/* any context: panic */
/* keyboard.c */
void keyboard_scancode(u8 code);		/* from the controller's interrupt */
unsigned int keyboard_leds(void);
void keyboard_set_leds(unsigned int leds);
/* vt_ioctl.c */
int vt_ioctl(struct tty_struct *tty, unsigned int cmd, unsigned long arg);
/* input/i8042.c */
void i8042_set_leds(unsigned int leds);		/* bit 0 scroll, 1 num, 2 caps; by work */

#endif
