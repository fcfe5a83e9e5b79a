/*
 * fpu_ia32.c: the x87 registers as i386's signal frames show them first: FSAVE's layout.
 *
 * Idea:    FXSAVE keeps one bit a register (empty or not) where FSAVE keeps two, which tell zero and special values, too.
 *          Two bits are made from one by looking at the number; from two, only "empty" matters.
 * Locking: none: the caller's buffers and numbers only.
 * See:     Intel SDM 1 §8.1.7 "x87 FPU Tag Word"; sigreturn(2)
 */
#include <weft/string.h>
#include <weft/types.h>
#include <asm/fpu_types.h>
#include <asm/ia32.h>

#define TAG_VALID	0u
#define TAG_ZERO	1u
#define TAG_SPECIAL	2u
#define TAG_EMPTY	3u

/* An 80-bit number: 64 bits of fraction with the leading 1, then exponent and sign. */
static u32 tag_of(const u8 *st)
{
	u64 fraction;
	u16 exponent;

	memcpy(&fraction, st, sizeof(fraction));
	memcpy(&exponent, st + sizeof(fraction), sizeof(exponent));
	exponent &= 0x7fff;
	if (exponent == 0x7fff)
		return TAG_SPECIAL;
	if (!exponent)
		return fraction ? TAG_SPECIAL : TAG_ZERO;
	return fraction >> 63 ? TAG_VALID : TAG_SPECIAL;
}

/* st[i] is the i-th from the top of the stack, the tags are by register number. */
void fregs_from_fxregs(struct fregs_state *env, const struct fxregs_state *fx)
{
	unsigned int top = fx->swd >> 11 & 7;
	u32 tags = 0;

	for (unsigned int i = 0; i < 8; i++) {
		const u8 *st = (const u8 *)fx->st_space + 16 * i;
		unsigned int reg = (top + i) & 7;

		tags |= (fx->twd >> reg & 1 ? tag_of(st) : TAG_EMPTY) << (2 * reg);
		memcpy(env->st[i], st, sizeof(env->st[i]));
	}
	env->cwd = fx->cwd | 0xffff0000;
	env->swd = fx->swd | 0xffff0000;
	env->twd = tags | 0xffff0000;
	env->fip = (u32)fx->rip;
	env->fcs = 0;			/* processors of today do not keep it */
	env->foo = (u32)fx->rdp;
	env->fos = 0xffff0000;
	env->status = fx->swd;
	env->magic = 0;
}

void fregs_to_fxregs(struct fxregs_state *fx, const struct fregs_state *env)
{
	fx->cwd = (u16)env->cwd;
	fx->swd = (u16)env->swd;
	fx->twd = 0;
	for (unsigned int reg = 0; reg < 8; reg++)
		if ((env->twd >> (2 * reg) & 3) != TAG_EMPTY)
			fx->twd |= (u16)(1 << reg);
	fx->rip = env->fip;
	fx->rdp = env->foo;
	for (unsigned int i = 0; i < 8; i++)
		memcpy((u8 *)fx->st_space + 16 * i, env->st[i], sizeof(env->st[i]));
}
