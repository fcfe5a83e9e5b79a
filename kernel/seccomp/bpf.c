/*
 * bpf.c: classic BPF: the check of a program and its interpreter.
 *
 * Idea:    all that could go wrong is refused before a program runs, so that the interpreter tests nothing: jumps only go
 *          forward and stay inside, so that every program ends; the last instruction returns; loads are aligned and inside
 *          the data; memory is written on each path before it is read.
 * Race:    none: a program does not change once it is checked (the check works on the kernel's copy).
 * See:     spec.md §8; seccomp_filter.c, whose data it looks at
 */
#include <weft/kernel.h>
#include <weft/errno.h>
#include <weft/gfp.h>
#include <weft/slab.h>
#include <weft/string.h>
#include "bpf.h"

/* ---- the check ---- */

static int check_alu(const struct sock_filter *f)
{
	switch (f->code) {
	case BPF_ALU | BPF_DIV | BPF_K:
		return f->k ? 0 : -EINVAL;
	case BPF_ALU | BPF_LSH | BPF_K:
	case BPF_ALU | BPF_RSH | BPF_K:
		return f->k < 32 ? 0 : -EINVAL;
	case BPF_ALU | BPF_ADD | BPF_K:
	case BPF_ALU | BPF_ADD | BPF_X:
	case BPF_ALU | BPF_SUB | BPF_K:
	case BPF_ALU | BPF_SUB | BPF_X:
	case BPF_ALU | BPF_MUL | BPF_K:
	case BPF_ALU | BPF_MUL | BPF_X:
	case BPF_ALU | BPF_DIV | BPF_X:
	case BPF_ALU | BPF_AND | BPF_K:
	case BPF_ALU | BPF_AND | BPF_X:
	case BPF_ALU | BPF_OR | BPF_K:
	case BPF_ALU | BPF_OR | BPF_X:
	case BPF_ALU | BPF_XOR | BPF_K:
	case BPF_ALU | BPF_XOR | BPF_X:
	case BPF_ALU | BPF_LSH | BPF_X:
	case BPF_ALU | BPF_RSH | BPF_X:
	case BPF_ALU | BPF_NEG:
		return 0;
	}
	return -EINVAL;
}

/* `left`: how many instructions follow. */
static int check_jump(const struct sock_filter *f, unsigned int left)
{
	switch (f->code) {
	case BPF_JMP | BPF_JA:
		return f->k < left ? 0 : -EINVAL;
	case BPF_JMP | BPF_JEQ | BPF_K:
	case BPF_JMP | BPF_JEQ | BPF_X:
	case BPF_JMP | BPF_JGE | BPF_K:
	case BPF_JMP | BPF_JGE | BPF_X:
	case BPF_JMP | BPF_JGT | BPF_K:
	case BPF_JMP | BPF_JGT | BPF_X:
	case BPF_JMP | BPF_JSET | BPF_K:
	case BPF_JMP | BPF_JSET | BPF_X:
		return f->jt < left && f->jf < left ? 0 : -EINVAL;
	}
	return -EINVAL;
}

static int check_insn(const struct sock_filter *f, unsigned int left, unsigned int size)
{
	switch (f->code) {
	case BPF_LD | BPF_W | BPF_ABS:
		return f->k < size && !(f->k & 3) ? 0 : -EINVAL;
	case BPF_LD | BPF_MEM:
	case BPF_LDX | BPF_MEM:
	case BPF_ST:
	case BPF_STX:
		return f->k < BPF_MEMWORDS ? 0 : -EINVAL;
	case BPF_LD | BPF_IMM:
	case BPF_LDX | BPF_IMM:
	case BPF_LD | BPF_W | BPF_LEN:
	case BPF_LDX | BPF_W | BPF_LEN:
	case BPF_RET | BPF_K:
	case BPF_RET | BPF_A:
	case BPF_MISC | BPF_TAX:
	case BPF_MISC | BPF_TXA:
		return 0;
	}
	if (BPF_CLASS(f->code) == BPF_ALU)
		return check_alu(f);
	return BPF_CLASS(f->code) == BPF_JMP ? check_jump(f, left) : -EINVAL;
}

/*
 * Is every word of memory written before it is read, whichever way leads there?  masks[i] has a bit for each word that
 * every jump to i has written; since jumps only go forward, one pass in the order of the program sees all of them.
 */
static int check_memory(const struct sock_filter *insns, unsigned int len)
{
	u16 *masks = kmalloc_array(len, sizeof(*masks), GFP_KERNEL);
	u16 valid = 0;
	int err = 0;

	if (!masks)
		return -ENOMEM;
	memset(masks, 0xff, len * sizeof(*masks));
	for (unsigned int pc = 0; pc < len && !err; pc++) {
		const struct sock_filter *f = &insns[pc];

		valid &= masks[pc];
		switch (f->code) {
		case BPF_ST:
		case BPF_STX:
			valid |= (u16)(1 << f->k);
			break;
		case BPF_LD | BPF_MEM:
		case BPF_LDX | BPF_MEM:
			err = valid & (1 << f->k) ? 0 : -EINVAL;
			break;
		case BPF_JMP | BPF_JA:
			masks[pc + 1 + f->k] &= valid;
			valid = 0xffff;		/* nobody falls through to the next */
			break;
		default:
			if (BPF_CLASS(f->code) != BPF_JMP)
				break;
			masks[pc + 1 + f->jt] &= valid;
			masks[pc + 1 + f->jf] &= valid;
			valid = 0xffff;
		}
	}
	kfree(masks);
	return err;
}

int bpf_check(const struct sock_filter *insns, unsigned int len, unsigned int size)
{
	for (unsigned int pc = 0; pc < len; pc++) {
		int err = check_insn(&insns[pc], len - 1 - pc, size);

		if (err)
			return err;
	}
	if (BPF_CLASS(insns[len - 1].code) != BPF_RET)
		return -EINVAL;
	return check_memory(insns, len);
}

/* ---- the interpreter ---- */

/* A division by X = 0 ends the program with 0: *ok is false. */
static inline u32 alu(u16 code, u32 a, u32 b, bool *ok)
{
	switch (code & 0xf0) {
	case BPF_ADD: return a + b;
	case BPF_SUB: return a - b;
	case BPF_MUL: return a * b;
	case BPF_AND: return a & b;
	case BPF_OR:  return a | b;
	case BPF_XOR: return a ^ b;
	case BPF_LSH: return a << (b & 31);
	case BPF_RSH: return a >> (b & 31);
	case BPF_NEG: return -a;
	}
	*ok = b != 0;		/* BPF_DIV */
	return b ? a / b : 0;
}

static inline bool test(u16 code, u32 a, u32 b)
{
	switch (code & 0xf0) {
	case BPF_JEQ: return a == b;
	case BPF_JGT: return a > b;
	case BPF_JGE: return a >= b;
	}
	return (a & b) != 0;	/* BPF_JSET */
}

u32 bpf_run(const struct sock_filter *f, const u32 *data, unsigned int size, unsigned int known, bool *unknown)
{
	u32 a = 0, x = 0, mem[BPF_MEMWORDS];
	bool ok = true;

	for (;; f++) {
		const u32 b = f->code & BPF_X ? x : f->k;

		switch (f->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			if (f->k >= known) {
				*unknown = true;
				return 0;
			}
			a = data[f->k / 4];
			break;
		case BPF_LD | BPF_W | BPF_LEN:	a = size; break;
		case BPF_LDX | BPF_W | BPF_LEN:	x = size; break;
		case BPF_LD | BPF_IMM:		a = f->k; break;
		case BPF_LDX | BPF_IMM:		x = f->k; break;
		case BPF_LD | BPF_MEM:		a = mem[f->k]; break;
		case BPF_LDX | BPF_MEM:		x = mem[f->k]; break;
		case BPF_ST:			mem[f->k] = a; break;
		case BPF_STX:			mem[f->k] = x; break;
		case BPF_MISC | BPF_TAX:	x = a; break;
		case BPF_MISC | BPF_TXA:	a = x; break;
		case BPF_RET | BPF_K:		return f->k;
		case BPF_RET | BPF_A:		return a;
		case BPF_JMP | BPF_JA:		f += f->k; break;
		default:
			if (BPF_CLASS(f->code) == BPF_JMP) {
				f += test(f->code, a, b) ? f->jt : f->jf;
				break;
			}
			a = alu(f->code, a, b, &ok);
			if (!ok)
				return 0;
		}
	}
}
