/*
 * keyboard.c: from key codes to characters: the US layout.
 *
 * What:    modifiers, Caps Lock, the keypad, function keys' sequences, Alt as an ESC prefix, Alt-F1 .. Alt-F6 for switching,
 *          raw modes for programs that want the codes.
 * Idea:    two tables, plain and shifted, indexed by the key's make code of scan code set 1; what is no character is a short
 *          string or an action.
 * Locking: all state belongs to the controller's interrupt handler, which never runs twice at once; kbmode is one byte.
 * See:     input/i8042.c; vt.h; console_codes(4), kd.h
 */
#include <weft/kernel.h>
#include <weft/ctype.h>
#include <weft/string.h>
#include "vt.h"

#define EXTENDED	0x80	/* added to the code of keys that send e0 first */

static const char plain[0x59] = {
	0, 27, '1', '2', '3', '4', '5', '6', '7', '8', '9', '0', '-', '=', 127, '\t',
	'q', 'w', 'e', 'r', 't', 'y', 'u', 'i', 'o', 'p', '[', ']', '\r', 0, 'a', 's',
	'd', 'f', 'g', 'h', 'j', 'k', 'l', ';', '\'', '`', 0, '\\', 'z', 'x', 'c', 'v',
	'b', 'n', 'm', ',', '.', '/', 0, '*', 0, ' ', [0x4a] = '-', [0x4e] = '+', [0x56] = '<',
};

static const char shifted[0x59] = {
	0, 27, '!', '@', '#', '$', '%', '^', '&', '*', '(', ')', '_', '+', 127, '\t',
	'Q', 'W', 'E', 'R', 'T', 'Y', 'U', 'I', 'O', 'P', '{', '}', '\r', 0, 'A', 'S',
	'D', 'F', 'G', 'H', 'J', 'K', 'L', ':', '"', '~', 0, '|', 'Z', 'X', 'C', 'V',
	'B', 'N', 'M', '<', '>', '?', 0, '*', 0, ' ', [0x4a] = '-', [0x4e] = '+', [0x56] = '>',
};

/* The keypad with Num Lock, from 0x47 on. */
static const char keypad[] = "789-456+1230.";

enum { MOD_LSHIFT = 1, MOD_RSHIFT = 2, MOD_LCTRL = 4, MOD_RCTRL = 8, MOD_LALT = 16, MOD_RALT = 32 };
#define MOD_SHIFT	(MOD_LSHIFT | MOD_RSHIFT)
#define MOD_CTRL	(MOD_LCTRL | MOD_RCTRL)
#define MOD_ALT		(MOD_LALT | MOD_RALT)

#define LED_SCROLL	1
#define LED_NUM		2
#define LED_CAPS	4

static unsigned int mods;		/* [interrupt] keys that are down */
static unsigned int leds;		/* [-] one word, written by the interrupt and KDSETLED */
static bool got_e0;			/* [interrupt] */
static int skip_bytes;			/* [interrupt] of the Pause key's six */

static void send(struct vt *vt, const char *s, size_t n)
{
	tty_insert_flip_string(&vt->port, (const u8 *)s, n);
	tty_flip_buffer_push(&vt->port);
}

static void send_string(struct vt *vt, const char *s)
{
	send(vt, s, strlen(s));
}

static unsigned int modifier(unsigned int code)
{
	switch (code) {
	case 0x2a:		return MOD_LSHIFT;
	case 0x36:		return MOD_RSHIFT;
	case 0x1d:		return MOD_LCTRL;
	case 0x1d | EXTENDED:	return MOD_RCTRL;
	case 0x38:		return MOD_LALT;
	case 0x38 | EXTENDED:	return MOD_RALT;
	default:		return 0;
	}
}

/* 1 .. 12, or 0. */
static int function_key(unsigned int code)
{
	if (code >= 0x3b && code <= 0x44)
		return code - 0x3b + 1;
	return code == 0x57 ? 11 : code == 0x58 ? 12 : 0;
}

/* Arrow keys and their like, whose code is the same on the keypad.  NULL: none. */
static const char *cursor_sequence(const struct vt *vt, unsigned int code)
{
	bool app = vt->app_cursor;

	switch (code & ~EXTENDED) {
	case 0x48:	return app ? "\033OA" : "\033[A";
	case 0x50:	return app ? "\033OB" : "\033[B";
	case 0x4d:	return app ? "\033OC" : "\033[C";
	case 0x4b:	return app ? "\033OD" : "\033[D";
	case 0x47:	return "\033[1~";
	case 0x52:	return "\033[2~";
	case 0x53:	return "\033[3~";
	case 0x4f:	return "\033[4~";
	case 0x49:	return "\033[5~";
	case 0x51:	return "\033[6~";
	default:	return NULL;
	}
}

static void send_function_key(struct vt *vt, int n)
{
	static const char *const sequences[] = {
		"\033[[A", "\033[[B", "\033[[C", "\033[[D", "\033[[E", "\033[17~",
		"\033[18~", "\033[19~", "\033[20~", "\033[21~", "\033[23~", "\033[24~",
	};

	if (mods & MOD_ALT)
		vt_switch(n - 1);
	else
		send_string(vt, sequences[n - 1]);
}

/* What Ctrl makes of c; -1: nothing. */
static int with_ctrl(int c)
{
	if (c >= '@' && c <= '~')
		return c & 0x1f;
	switch (c) {
	case ' ':
	case '2':	return 0;
	case '/':
	case '-':	return 0x1f;
	case '3':	return 0x1b;
	case '4':	return 0x1c;
	case '5':	return 0x1d;
	case '6':	return 0x1e;
	case '7':	return 0x1f;
	case '8':	return 0x7f;
	default:	return c < ' ' || c == 127 ? c : -1;
	}
}

static void send_char(struct vt *vt, int c)
{
	char buf[2] = { 27, c };

	if (mods & MOD_CTRL)
		c = with_ctrl(c);
	if (c < 0)
		return;
	buf[1] = c;
	if (mods & MOD_ALT)
		send(vt, buf, 2);
	else
		send(vt, buf + 1, 1);
}

static int character(unsigned int code)
{
	bool shift = mods & MOD_SHIFT;
	int c;

	if (code == (0x1c | EXTENDED))
		return '\r';
	if (code == (0x35 | EXTENDED))
		return '/';
	if (code >= sizeof(plain))
		return 0;
	c = plain[code];
	if ((leds & LED_CAPS) && isalpha(c))
		shift = !shift;
	return shift ? shifted[code] : c;
}

static bool lock_key(unsigned int code)
{
	unsigned int led = code == 0x3a ? LED_CAPS : code == 0x45 ? LED_NUM : code == 0x46 ? LED_SCROLL : 0;

	if (!led)
		return false;
	keyboard_set_leds(leds ^ led);
	return true;
}

static void key_down(struct vt *vt, unsigned int code)
{
	const char *sequence;
	int c;

	if (lock_key(code))
		return;
	if (function_key(code)) {
		send_function_key(vt, function_key(code));
		return;
	}
	if (code >= 0x47 && code <= 0x53 && (leds & LED_NUM) && code != 0x4a && code != 0x4e) {
		send_char(vt, keypad[code - 0x47]);
		return;
	}
	sequence = cursor_sequence(vt, code);
	if (sequence) {
		send_string(vt, sequence);
		return;
	}
	c = character(code);
	if (c)
		send_char(vt, c);
}

/* K_MEDIUMRAW: a key's number, with bit 7 for release; the keys after e0 get the numbers that Linux gives them. */
static u8 medium_code(unsigned int code)
{
	static const struct { u8 code, key; } table[] = {
		{ 0x1c, 96 }, { 0x1d, 97 }, { 0x35, 98 }, { 0x37, 99 }, { 0x38, 100 }, { 0x47, 102 }, { 0x48, 103 },
		{ 0x49, 104 }, { 0x4b, 105 }, { 0x4d, 106 }, { 0x4f, 107 },
		{ 0x50, 108 }, { 0x51, 109 }, { 0x52, 110 }, { 0x53, 111 }, { 0x5b, 125 }, { 0x5c, 126 }, { 0x5d, 127 },
	};

	if (!(code & EXTENDED))
		return code;
	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		if (table[i].code == (code & ~EXTENDED))
			return table[i].key;
	return 0;
}

static void raw_key(struct vt *vt, unsigned int code, bool up)
{
	char key = medium_code(code) | (up ? 0x80 : 0);

	if (medium_code(code))
		send(vt, &key, 1);
}

void keyboard_scancode(u8 byte)
{
	struct vt *vt = &vts[READ_ONCE(fg_console)];
	u8 kbmode = READ_ONCE(vt->kbmode);
	unsigned int code, mod;
	bool up = byte & 0x80;

	if (!READ_ONCE(vt->cells))
		return;
	if (kbmode == K_RAW)
		send(vt, (const char *)&byte, 1);
	if (byte == 0xe1)
		skip_bytes = 6;
	if (skip_bytes) {
		skip_bytes--;
		return;
	}
	if (byte == 0xe0) {
		got_e0 = true;
		return;
	}
	code = (byte & 0x7f) | (got_e0 ? EXTENDED : 0);
	got_e0 = false;
	if (code == (0x2a | EXTENDED) || code == (0x36 | EXTENDED))
		return;			/* a shift that the keyboard makes up around some keys */
	mod = modifier(code);
	mods = up ? mods & ~mod : mods | mod;
	if (kbmode == K_MEDIUMRAW)
		raw_key(vt, code, up);
	else if ((kbmode == K_XLATE || kbmode == K_UNICODE) && !up && !mod)
		key_down(vt, code);
}

unsigned int keyboard_leds(void)
{
	return leds;
}

void keyboard_set_leds(unsigned int new_leds)
{
	leds = new_leds;
	i8042_set_leds(new_leds);
}
