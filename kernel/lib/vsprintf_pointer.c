/*
 * vsprintf_pointer.c: %p and what may follow it.
 *
 *	%p %px	the address, 16 digits (there is nobody to hide it from: only root reads the log)
 *	%pK	the same, or zeros for those without CAP_SYSLOG; the readers of such files check that themselves
 *	%pS %ps	symbol with and without +offset/size; %pB for back traces (the call before a return address)
 *	%pd %pD	name of a dentry, of a file's dentry; %pd2..4 with so many parents
 *	%pI4 %pI6 %pi4	Internet addresses; %pM a MAC address; %pU a UUID
 *	%*pb %*pbl	bitmap of `width` bits in hexadecimal, as a list
 *	%*ph %*phC %*phD %*phN	`width` bytes in hexadecimal, separated by ' ', ':', '-', nothing
 *	%pV	a struct va_format: another format with its arguments
 *	%pe	an error pointer as its number; %pa a phys_addr_t
 *
 * Context: any; the objects must be stable (%pd takes no lock and may show a name that is being changed).
 */
#include <weft/kernel.h>
#include <weft/bitmap.h>
#include <weft/ctype.h>
#include <weft/dcache.h>
#include <weft/fs.h>
#include <weft/kallsyms.h>
#include <weft/string.h>
#include <weft/unaligned.h>
#include "vsprintf.h"

static void out_address(struct out *o, const void *p, struct spec *spec)
{
	spec->base = 16;
	if (spec->precision < 0 && !spec->width) {
		spec->precision = 2 * sizeof(p);
		if (spec->flags & SPEC_ALT)
			spec->width = 2 * sizeof(p) + 2;
	}
	out_number(o, (unsigned long)p, spec);
}

static void out_symbol(struct out *o, const void *p, char kind, const struct spec *spec)
{
	char text[KSYM_NAME_LEN + 40];
	unsigned long addr = (unsigned long)p;

	if (kind != 's')
		sprint_symbol(text, kind == 'B' ? addr - 1 : addr);
	else if (!kallsyms_lookup(addr, NULL, NULL, text))
		snprintf(text, sizeof(text), "0x%lx", addr);
	out_string(o, text, spec);
}

static void out_dentry(struct out *o, const struct dentry *d, int depth, const struct spec *spec)
{
	const struct dentry *chain[4];
	int n = 0;

	if (!d) {
		out_string(o, "(null)", spec);
		return;
	}
	while (n < depth && n < (int)ARRAY_SIZE(chain)) {
		chain[n++] = d;
		if (d == READ_ONCE(d->d_parent))
			break;
		d = READ_ONCE(d->d_parent);
	}
	while (n--) {
		out_string(o, (const char *)chain[n]->d_name.name, spec);
		if (n)
			out_char(o, '/');
	}
}

/* n bytes in hexadecimal with `sep` (0: none) between. */
static void out_hex(struct out *o, const u8 *p, int n, char sep)
{
	for (int i = 0; i < n; i++) {
		if (i && sep)
			out_char(o, sep);
		out_char(o, hex_asc_hi(p[i]));
		out_char(o, hex_asc_lo(p[i]));
	}
}

static const char *out_hex_string(struct out *o, const char *fmt, const u8 *p, const struct spec *spec)
{
	static const char kinds[] = "CDN", seps[] = ":-";
	const char *kind = *fmt ? strchr(kinds, *fmt) : NULL;

	out_hex(o, p, clamp(spec->width, 1, 64), kind ? seps[kind - kinds] : ' ');
	return kind ? fmt + 1 : fmt;
}

static void out_inet(struct out *o, const u8 *p, bool v6)
{
	struct spec plain = { .precision = -1, .base = v6 ? 16 : 10 };

	for (int i = 0; i < (v6 ? 8 : 4); i++) {
		if (i)
			out_char(o, v6 ? ':' : '.');
		if (v6)
			plain.precision = 4;
		out_number(o, v6 ? get_unaligned_be16(p + 2 * i) : p[i], &plain);
	}
}

static void out_uuid(struct out *o, const u8 *p)
{
	for (int i = 0; i < 16; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			out_char(o, '-');
		out_hex(o, p + i, 1, 0);
	}
}

/* Comma-separated ranges, or words of 32 bits; see bitmap_print_list() for the same into a buffer. */
static void out_bitmap(struct out *o, const unsigned long *map, int nbits, bool list)
{
	struct spec decimal = { .precision = -1, .base = 10 }, hex = { .base = 16 };
	unsigned int size = nbits > 0 ? (unsigned int)nbits : 0, end;

	if (list) {
		for (unsigned int bit = find_first_bit(map, size); bit < size; bit = find_next_bit(map, size, end + 1)) {
			if (bit != find_first_bit(map, size))
				out_char(o, ',');
			end = find_next_zero_bit(map, size, bit) - 1;
			out_number(o, bit, &decimal);
			if (end > bit) {
				out_char(o, '-');
				out_number(o, end, &decimal);
			}
		}
		return;
	}
	for (unsigned int i = DIV_ROUND_UP(size, 32); i-- > 0;) {
		unsigned int bits = min(size - 32 * i, 32u);

		hex.precision = (int)DIV_ROUND_UP(bits, 4);
		out_number(o, (u32)(map[i / 2] >> (i % 2 * 32)) & (u32)(~0UL >> (64 - bits)), &hex);
		if (i)
			out_char(o, ',');
	}
}

static void out_va_format(struct out *o, const struct va_format *vf)
{
	size_t room = o->pos < o->end ? (size_t)(o->end - o->pos) : 0;
	va_list args;

	va_copy(args, *vf->va);
	o->pos += vsnprintf(room ? o->pos : NULL, room, vf->fmt, args);
	va_end(args);
}

/* Those whose second letter matters; NULL when it is none of them. */
static const char *out_lettered(struct out *o, const char *fmt, const void *p, struct spec *spec)
{
	switch (*fmt) {
	case 'I':
	case 'i':
		if (fmt[1] != '4' && fmt[1] != '6')
			return NULL;
		out_inet(o, p, fmt[1] == '6');
		return fmt + 2;
	case 'b':
		out_bitmap(o, p, spec->width, fmt[1] == 'l');
		return fmt + (fmt[1] == 'l' ? 2 : 1);
	case 'd':
	case 'D':
		if (*fmt == 'D')
			p = p ? ((const struct file *)p)->f_path.dentry : NULL;
		out_dentry(o, p, fmt[1] >= '2' && fmt[1] <= '4' ? fmt[1] - '0' : 1, spec);
		return fmt + (fmt[1] >= '2' && fmt[1] <= '4' ? 2 : 1);
	case 'h':
		return out_hex_string(o, fmt + 1, p, spec);
	default:
		return NULL;
	}
}

const char *out_pointer(struct out *o, const char *fmt, const void *p, struct spec *spec)
{
	struct spec plain = { .precision = -1, .base = 10 };
	const char *end;

	/* A bad pointer in a message about bad pointers must not kill us. */
	if ((unsigned long)p < 4096 && *fmt && strchr("IibhMUVa", *fmt)) {
		out_string(o, p ? "(efault)" : "(null)", spec);
		for (fmt++; isalnum((unsigned char)*fmt); fmt++)
			;
		return fmt;
	}
	end = out_lettered(o, fmt, p, spec);
	if (end)
		return end;
	switch (*fmt) {
	case 'S':
	case 's':
	case 'B':
		out_symbol(o, p, *fmt, spec);
		return fmt + 1;
	case 'M':
		out_hex(o, p, 6, ':');
		return fmt + 1;
	case 'U':
		out_uuid(o, p);
		return fmt + (isalpha((unsigned char)fmt[1]) ? 2 : 1);
	case 'V':
		out_va_format(o, p);
		return fmt + 1;
	case 'e':
		if (!IS_ERR(p))
			break;
		plain.flags |= SPEC_NEGATIVE;
		out_number(o, (unsigned long long)-PTR_ERR(p), &plain);
		return fmt + 1;
	case 'a':
		out_address(o, *(void *const *)p, spec);
		return fmt + 1;
	default:
		break;
	}
	out_address(o, p, spec);
	return fmt + (*fmt == 'x' || *fmt == 'K' || *fmt == 'e' ? 1 : 0);
}
