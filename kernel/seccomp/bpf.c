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

/* The registers of a running program. */
struct bpf_state {
	u32	a, x, mem[BPF_MEMWORDS];
};

/*
 * Runs from f to the instruction that returns, or to the first load from beyond `known` bytes, and gives that instruction.
 * NULL: a division by 0 has ended the program, with 0.
 */
static __always_inline const struct sock_filter *run(const struct sock_filter *f, struct bpf_state *r, const u32 *data,
						     unsigned int size, unsigned int known)
{
	bool ok = true;

	for (;; f++) {
		switch (f->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			if (f->k >= known)
				return f;
			r->a = data[f->k / 4];
			break;
		case BPF_LD | BPF_W | BPF_LEN:	r->a = size; break;
		case BPF_LDX | BPF_W | BPF_LEN:	r->x = size; break;
		case BPF_LD | BPF_IMM:		r->a = f->k; break;
		case BPF_LDX | BPF_IMM:		r->x = f->k; break;
		case BPF_LD | BPF_MEM:		r->a = r->mem[f->k]; break;
		case BPF_LDX | BPF_MEM:		r->x = r->mem[f->k]; break;
		case BPF_ST:			r->mem[f->k] = r->a; break;
		case BPF_STX:			r->mem[f->k] = r->x; break;
		case BPF_MISC | BPF_TAX:	r->x = r->a; break;
		case BPF_MISC | BPF_TXA:	r->a = r->x; break;
		case BPF_RET | BPF_K:
		case BPF_RET | BPF_A:		return f;
		case BPF_JMP | BPF_JA:		f += f->k; break;
		case BPF_JMP | BPF_JEQ | BPF_K:	f += r->a == f->k ? f->jt : f->jf; break;
		case BPF_JMP | BPF_JEQ | BPF_X:	f += r->a == r->x ? f->jt : f->jf; break;
		case BPF_JMP | BPF_JGT | BPF_K:	f += r->a > f->k ? f->jt : f->jf; break;
		case BPF_JMP | BPF_JGT | BPF_X:	f += r->a > r->x ? f->jt : f->jf; break;
		case BPF_JMP | BPF_JGE | BPF_K:	f += r->a >= f->k ? f->jt : f->jf; break;
		case BPF_JMP | BPF_JGE | BPF_X:	f += r->a >= r->x ? f->jt : f->jf; break;
		case BPF_JMP | BPF_JSET | BPF_K: f += r->a & f->k ? f->jt : f->jf; break;
		case BPF_JMP | BPF_JSET | BPF_X: f += r->a & r->x ? f->jt : f->jf; break;
		default:
			r->a = alu(f->code, r->a, f->code & BPF_X ? r->x : f->k, &ok);
			if (!ok)
				return NULL;
		}
	}
}

u32 bpf_run(const struct sock_filter *insns, const u32 *data, unsigned int size)
{
	struct bpf_state r;

	r.a = r.x = 0;		/* memory is written before it is read: the check saw to that */
	insns = run(insns, &r, data, size, size);
	if (!insns)
		return 0;
	return insns->code == (BPF_RET | BPF_K) ? insns->k : r.a;
}

/* Does a run that begins here go on as one from the start?  It has the data, but not what the registers held. */
static bool needs_no_registers(const struct sock_filter *at, const struct sock_filter *insns)
{
	if (at->code == (BPF_RET | BPF_A))
		return false;
	if (at->code == (BPF_RET | BPF_K))
		return true;
	/* The load fills A itself; nothing before it may have touched X or memory. */
	for (; insns < at; insns++)
		if (BPF_CLASS(insns->code) == BPF_LDX || BPF_CLASS(insns->code) == BPF_ST ||
		    BPF_CLASS(insns->code) == BPF_STX || insns->code == (BPF_MISC | BPF_TAX))
			return false;
	return true;
}

unsigned int bpf_prefix(const struct sock_filter *insns, const u32 *data, unsigned int size, unsigned int known)
{
	struct bpf_state r = { 0 };
	const struct sock_filter *at = run(insns, &r, data, size, known);

	return at && needs_no_registers(at, insns) ? (unsigned int)(at - insns) : 0;
}
