/*
 * emulate.c: what the bytes written to a virtual console mean: the "linux" terminal.
 *
 * Idea:    a small state machine over bytes; UTF-8 is put together before it.  A control sequence is ESC [ numbers letter.
 *          What is not known is swallowed whole, so that no part of it shows up as text.
 * Locking: vt_lock held throughout.
 * See:     console_codes(4); ECMA-48
 */
#include <weft/kernel.h>
#include <weft/string.h>
#include "vt.h"

enum { S_TEXT, S_ESC, S_CSI, S_CSI_IGNORE, S_CHARSET0, S_CHARSET1, S_HASH, S_STRING, S_STRING_ESC, S_PALETTE };

#define DEFAULT_FG	7
#define DEFAULT_BG	0

/* ---- cells ---- */

static cell_t *row_of(struct vt *vt, int y) { return vt->cells + y * vt_cols; }

static cell_t styled(const struct vt *vt, unsigned int ch)
{
	u8 fg = vt->attr.fg, bg = vt->attr.bg;

	if (vt->attr.bold && fg < 8)
		fg += 8;
	if (vt->attr.blink && bg < 8)
		bg += 8;
	if (vt->attr.reverse)
		swap(fg, bg);
	return CELL(ch, fg, bg, vt->attr.underline);
}

/* What an erased cell looks like: it keeps the background. */
static cell_t blank(const struct vt *vt) { return CELL(' ', vt->attr.fg, vt->attr.bg, 0); }

static void fill(struct vt *vt, cell_t *from, int n)
{
	cell_t c = blank(vt);

	while (n-- > 0)
		*from++ = c;
}

static void scroll_up(struct vt *vt, int top, int bottom, int n)
{
	n = clamp(n, 0, bottom - top);
	memmove(row_of(vt, top), row_of(vt, top + n), (size_t)(bottom - top - n) * vt_cols * sizeof(cell_t));
	fill(vt, row_of(vt, bottom - n), n * vt_cols);
}

static void scroll_down(struct vt *vt, int top, int bottom, int n)
{
	n = clamp(n, 0, bottom - top);
	memmove(row_of(vt, top + n), row_of(vt, top), (size_t)(bottom - top - n) * vt_cols * sizeof(cell_t));
	fill(vt, row_of(vt, top), n * vt_cols);
}

/* ---- the cursor ---- */

static void move_to(struct vt *vt, int x, int y)
{
	int top = vt->origin ? vt->top : 0, bottom = vt->origin ? vt->bottom : vt_rows;

	vt->x = clamp(x, 0, vt_cols - 1);
	vt->y = clamp(y, top, bottom - 1);
	vt->wrap_next = false;
}

/* Absolute, as programs count: from the scroll region's top in origin mode. */
static void move_absolute(struct vt *vt, int x, int y)
{
	move_to(vt, x, vt->origin ? vt->top + y : y);
}

static void line_feed(struct vt *vt)
{
	if (vt->y + 1 == vt->bottom)
		scroll_up(vt, vt->top, vt->bottom, 1);
	else if (vt->y < vt_rows - 1)
		vt->y++;
	vt->wrap_next = false;
}

static void reverse_line_feed(struct vt *vt)
{
	if (vt->y == vt->top)
		scroll_down(vt, vt->top, vt->bottom, 1);
	else if (vt->y > 0)
		vt->y--;
	vt->wrap_next = false;
}

static void save_cursor(struct vt *vt)
{
	vt->saved.x = vt->x;
	vt->saved.y = vt->y;
	vt->saved.attr = vt->attr;
	vt->saved.charset = vt->charset;
	memcpy(vt->saved.g, vt->g, sizeof(vt->g));
}

static void restore_cursor(struct vt *vt)
{
	vt->attr = vt->saved.attr;
	vt->charset = vt->saved.charset;
	memcpy(vt->g, vt->saved.g, sizeof(vt->g));
	move_to(vt, vt->saved.x, vt->saved.y);
}

void vt_reset(struct vt *vt)
{
	vt->top = 0;
	vt->bottom = vt_rows;
	vt->attr = (struct vt_attr){ .fg = DEFAULT_FG, .bg = DEFAULT_BG };
	vt->charset = vt->g[0] = 0;
	vt->g[1] = 1;
	vt->cursor_on = vt->autowrap = true;
	vt->origin = vt->insert = vt->newline_mode = vt->app_cursor = vt->app_keypad = false;
	vt->state = S_TEXT;
	vt->utf8_left = 0;
	for (int i = 0; i < MAX_COLS; i++)
		vt->tabs[i] = i % 8 == 0;
	move_to(vt, 0, 0);
	save_cursor(vt);
	fill(vt, vt->cells, vt_cols * vt_rows);
}

/* ---- text ---- */

/* The DEC line-drawing characters from ` to ~. */
static const u16 line_drawing[31] = {
	0x25c6, 0x2592, 0x2409, 0x240c, 0x240d, 0x240a, 0x00b0, 0x00b1, 0x2424, 0x240b,
	0x2518, 0x2510, 0x250c, 0x2514, 0x253c, 0x2500, 0x2500, 0x2500, 0x2500, 0x2500,
	0x251c, 0x2524, 0x2534, 0x252c, 0x2502, 0x2264, 0x2265, 0x03c0, 0x2260, 0x00a3, 0x00b7,
};

static void put_char(struct vt *vt, u32 ch)
{
	cell_t *row;

	if (ch > 0xffff)
		ch = 0xfffd;
	if (vt->g[vt->charset] == 1 && ch >= '`' && ch <= '~')
		ch = line_drawing[ch - '`'];
	if (vt->wrap_next) {
		vt->x = 0;
		line_feed(vt);
	}
	row = row_of(vt, vt->y);
	if (vt->insert)
		memmove(row + vt->x + 1, row + vt->x, (vt_cols - vt->x - 1) * sizeof(cell_t));
	row[vt->x] = styled(vt, ch);
	if (vt->x < vt_cols - 1)
		vt->x++;
	else
		vt->wrap_next = vt->autowrap;
}

/* ---- answers: into the keyboard's stream ---- */

static void respond(struct vt *vt, const char *s)
{
	tty_insert_flip_string(&vt->port, (const u8 *)s, strlen(s));
	tty_flip_buffer_push(&vt->port);
}

static void report_cursor(struct vt *vt)
{
	char buf[32];

	snprintf(buf, sizeof(buf), "\033[%d;%dR", vt->y + 1 - (vt->origin ? vt->top : 0), vt->x + 1);
	respond(vt, buf);
}

/* ---- control sequences ---- */

/* Parameter i, 1 when missing or 0. */
static int count_par(const struct vt *vt, int i)
{
	return i < vt->npar && vt->par[i] ? (int)min(vt->par[i], 10000u) : 1;
}

static int raw_par(const struct vt *vt, int i)
{
	return i < vt->npar ? (int)min(vt->par[i], 10000u) : 0;
}

/* The nearest of the sixteen colours to one of 256. */
static u8 from_256(unsigned int n)
{
	unsigned int r, g, b, high;

	if (n < 16)
		return n;
	if (n >= 232)
		return n < 238 ? 0 : n < 244 ? 8 : n < 250 ? 7 : 15;
	n -= 16;
	r = n / 36 % 6;
	g = n / 6 % 6;
	b = n % 6;
	high = max3(r, g, b);
	if (!high)
		return 0;
	return (r * 2 > high) | (g * 2 > high) << 1 | (b * 2 > high) << 2 | (high > 3 ? 8 : 0);
}

/* 38 or 48: "5;n" or "2;r;g;b" follow.  Returns how many parameters they are. */
static int extended_color(const struct vt *vt, int i, u8 *color)
{
	if (raw_par(vt, i + 1) == 5) {
		*color = from_256(raw_par(vt, i + 2) & 255);
		return 2;
	}
	if (raw_par(vt, i + 1) == 2) {
		unsigned int r = raw_par(vt, i + 2) & 255, g = raw_par(vt, i + 3) & 255, b = raw_par(vt, i + 4) & 255;

		*color = from_256(16 + r / 43 * 36 + g / 43 * 6 + b / 43);
		return 4;
	}
	return 0;
}

static void select_rendition(struct vt *vt)
{
	struct vt_attr *a = &vt->attr;

	for (int i = 0; i < max(vt->npar, 1); i++) {
		int p = raw_par(vt, i);

		switch (p) {
		case 0:		*a = (struct vt_attr){ .fg = DEFAULT_FG, .bg = DEFAULT_BG }; break;
		case 1:		a->bold = true; break;
		case 4:		a->underline = true; break;
		case 5:		a->blink = true; break;
		case 7:		a->reverse = true; break;
		case 2:
		case 21:
		case 22:	a->bold = false; break;
		case 24:	a->underline = false; break;
		case 25:	a->blink = false; break;
		case 27:	a->reverse = false; break;
		case 30 ... 37:	a->fg = p - 30; break;
		case 38:	i += extended_color(vt, i, &a->fg); break;
		case 39:	a->fg = DEFAULT_FG; break;
		case 40 ... 47:	a->bg = p - 40; break;
		case 48:	i += extended_color(vt, i, &a->bg); break;
		case 49:	a->bg = DEFAULT_BG; break;
		case 90 ... 97:	a->fg = p - 90 + 8; break;
		case 100 ... 107: a->bg = p - 100 + 8; break;
		}
	}
}

static void erase_display(struct vt *vt)
{
	int here = vt->y * vt_cols + vt->x, all = vt_rows * vt_cols;

	switch (raw_par(vt, 0)) {
	case 0:	fill(vt, vt->cells + here, all - here); break;
	case 1:	fill(vt, vt->cells, here + 1); break;
	case 2:
	case 3:	fill(vt, vt->cells, all); break;
	}
	vt->wrap_next = false;
}

static void erase_line(struct vt *vt)
{
	cell_t *row = row_of(vt, vt->y);

	switch (raw_par(vt, 0)) {
	case 0:	fill(vt, row + vt->x, vt_cols - vt->x); break;
	case 1:	fill(vt, row, vt->x + 1); break;
	case 2:	fill(vt, row, vt_cols); break;
	}
	vt->wrap_next = false;
}

static void insert_chars(struct vt *vt, int n)
{
	cell_t *at = row_of(vt, vt->y) + vt->x;

	n = min(n, vt_cols - vt->x);
	memmove(at + n, at, (vt_cols - vt->x - n) * sizeof(cell_t));
	fill(vt, at, n);
}

static void delete_chars(struct vt *vt, int n)
{
	cell_t *at = row_of(vt, vt->y) + vt->x;

	n = min(n, vt_cols - vt->x);
	memmove(at, at + n, (vt_cols - vt->x - n) * sizeof(cell_t));
	fill(vt, at + vt_cols - vt->x - n, n);
}

static void set_mode(struct vt *vt, bool on)
{
	for (int i = 0; i < vt->npar; i++) {
		int p = raw_par(vt, i);

		if (!vt->question) {
			if (p == 4)
				vt->insert = on;
			else if (p == 20)
				vt->newline_mode = on;
			continue;
		}
		switch (p) {
		case 1:	vt->app_cursor = on; break;
		case 6:	vt->origin = on; move_absolute(vt, 0, 0); break;
		case 7:	vt->autowrap = on; break;
		case 25: vt->cursor_on = on; break;
		}
	}
}

static void set_region(struct vt *vt)
{
	int top = count_par(vt, 0) - 1, bottom = raw_par(vt, 1) ? raw_par(vt, 1) : vt_rows;

	if (bottom > vt_rows)
		bottom = vt_rows;
	if (top + 1 >= bottom)
		return;
	vt->top = top;
	vt->bottom = bottom;
	move_absolute(vt, 0, 0);
}

static void insert_lines(struct vt *vt, int n)
{
	if (vt->y >= vt->top && vt->y < vt->bottom)
		scroll_down(vt, vt->y, vt->bottom, n);
}

static void delete_lines(struct vt *vt, int n)
{
	if (vt->y >= vt->top && vt->y < vt->bottom)
		scroll_up(vt, vt->y, vt->bottom, n);
}

static void control_sequence(struct vt *vt, u8 c)
{
	int n = count_par(vt, 0);

	if (vt->question && c != 'h' && c != 'l')
		return;
	switch (c) {
	case 'A':	move_to(vt, vt->x, vt->y - n); break;
	case 'B':
	case 'e':	move_to(vt, vt->x, vt->y + n); break;
	case 'C':
	case 'a':	move_to(vt, vt->x + n, vt->y); break;
	case 'D':	move_to(vt, vt->x - n, vt->y); break;
	case 'E':	move_to(vt, 0, vt->y + n); break;
	case 'F':	move_to(vt, 0, vt->y - n); break;
	case 'G':
	case '`':	move_to(vt, n - 1, vt->y); break;
	case 'd':	move_absolute(vt, vt->x, n - 1); break;
	case 'H':
	case 'f':	move_absolute(vt, count_par(vt, 1) - 1, n - 1); break;
	case 'J':	erase_display(vt); break;
	case 'K':	erase_line(vt); break;
	case 'L':	insert_lines(vt, n); break;
	case 'M':	delete_lines(vt, n); break;
	case 'S':	scroll_up(vt, vt->top, vt->bottom, n); break;
	case 'T':	scroll_down(vt, vt->top, vt->bottom, n); break;
	case 'P':	delete_chars(vt, n); break;
	case '@':	insert_chars(vt, n); break;
	case 'X':	fill(vt, row_of(vt, vt->y) + vt->x, min(n, vt_cols - vt->x)); break;
	case 'h':	set_mode(vt, true); break;
	case 'l':	set_mode(vt, false); break;
	case 'm':	select_rendition(vt); break;
	case 'r':	set_region(vt); break;
	case 's':	save_cursor(vt); break;
	case 'u':	restore_cursor(vt); break;
	case 'c':	respond(vt, "\033[?6c"); break;
	case 'n':
		if (raw_par(vt, 0) == 5)
			respond(vt, "\033[0n");
		else if (raw_par(vt, 0) == 6)
			report_cursor(vt);
		break;
	case 'g':
		if (raw_par(vt, 0) == 3)
			memset(vt->tabs, 0, sizeof(vt->tabs));
		else if (!raw_par(vt, 0))
			vt->tabs[vt->x] = 0;
		break;
	}
}

/* ---- the state machine ---- */

static void escape(struct vt *vt, u8 c) __must_hold(&vt_lock)
{
	vt->state = S_TEXT;
	switch (c) {
	case '[':
		vt->state = S_CSI;
		vt->question = false;
		vt->npar = 0;
		memset(vt->par, 0, sizeof(vt->par));
		break;
	case ']':
	case 'P':
	case '_':
	case '^':	vt->state = c == ']' ? S_PALETTE : S_STRING; break;
	case '(':	vt->state = S_CHARSET0; break;
	case ')':	vt->state = S_CHARSET1; break;
	case '#':
	case '%':	vt->state = S_HASH; break;
	case 'D':	line_feed(vt); break;
	case 'E':	vt->x = 0; line_feed(vt); break;
	case 'M':	reverse_line_feed(vt); break;
	case 'H':	vt->tabs[vt->x] = 1; break;
	case 'Z':	respond(vt, "\033[?6c"); break;
	case '7':	save_cursor(vt); break;
	case '8':	restore_cursor(vt); break;
	case 'c':	vt_reset(vt); break;
	case '=':	vt->app_keypad = true; break;
	case '>':	vt->app_keypad = false; break;
	}
}

static void csi_byte(struct vt *vt, u8 c)
{
	if (c >= '0' && c <= '9') {
		unsigned int *p = &vt->par[max(vt->npar - 1, 0)];

		vt->npar = max(vt->npar, 1);
		*p = min(*p * 10 + c - '0', 100000u);
	} else if (c == ';' || c == ':') {
		vt->npar = min(max(vt->npar, 1) + 1, NR_PARAMS);
	} else if (c == '?') {
		vt->question = true;
	} else if (c >= 0x20 && c < 0x40) {
		vt->state = S_CSI_IGNORE;
	} else {
		vt->state = S_TEXT;
		control_sequence(vt, c);
	}
}

/* A control character: it works in the middle of a sequence too.  True when c was one. */
static bool control(struct vt *vt, u8 c)
{
	switch (c) {
	case 0:
	case 7:		return true;
	case '\b':
		if (vt->x > 0 && !vt->wrap_next)
			vt->x--;
		vt->wrap_next = false;
		return true;
	case '\t':
		while (vt->x < vt_cols - 1 && !vt->tabs[++vt->x])
			;
		return true;
	case '\n':
	case '\v':
	case '\f':
		line_feed(vt);
		if (vt->newline_mode)
			vt->x = 0;
		return true;
	case '\r':
		vt->x = 0;
		vt->wrap_next = false;
		return true;
	case 14:	vt->charset = 1; return true;
	case 15:	vt->charset = 0; return true;
	case 24:
	case 26:	vt->state = S_TEXT; return true;
	case 27:	vt->state = S_ESC; return true;
	case 127:	return true;
	default:	return c < ' ';
	}
}

static void one_char(struct vt *vt, u32 c) __must_hold(&vt_lock)
{
	if (vt->state == S_STRING || vt->state == S_STRING_ESC) {
		/* Ends with BEL or ESC \. */
		if (c == 7 || (vt->state == S_STRING_ESC && c == '\\') || c == 24)
			vt->state = S_TEXT;
		else
			vt->state = c == 27 ? S_STRING_ESC : S_STRING;
		return;
	}
	if (c < 256 && control(vt, c))
		return;
	switch (vt->state) {
	case S_ESC:		escape(vt, c); break;
	case S_CSI:		csi_byte(vt, c); break;
	case S_CSI_IGNORE:	vt->state = c >= 0x40 ? S_TEXT : S_CSI_IGNORE; break;
	case S_CHARSET0:
	case S_CHARSET1:
		vt->g[vt->state == S_CHARSET1] = c == '0';
		vt->state = S_TEXT;
		break;
	case S_HASH:		vt->state = S_TEXT; break;
	case S_PALETTE:		/* ESC ] R resets the palette; ESC ] P and seven digits set one colour; else a string */
		vt->state = c == 'R' ? S_TEXT : S_STRING;
		break;
	default:		put_char(vt, c); break;
	}
}

/* Puts UTF-8 together; a byte that does not fit shows as U+FFFD. */
static void one_byte(struct vt *vt, u8 c) __must_hold(&vt_lock)
{
	if (vt->utf8_left) {
		if ((c & 0xc0) == 0x80) {
			vt->utf8 = vt->utf8 << 6 | (c & 0x3f);
			if (!--vt->utf8_left)
				one_char(vt, vt->utf8);
			return;
		}
		vt->utf8_left = 0;
		one_char(vt, 0xfffd);
	}
	if (c < 0x80) {
		one_char(vt, c);
	} else if (c >= 0xc2 && c <= 0xf4) {
		vt->utf8_left = c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;
		vt->utf8 = c & (0x3f >> vt->utf8_left);
	} else {
		one_char(vt, 0xfffd);
	}
}

void vt_emulate(struct vt *vt, const u8 *s, int n)
{
	lockdep_assert_held(&vt_lock);
	while (n-- > 0)
		one_byte(vt, *s++);
}
