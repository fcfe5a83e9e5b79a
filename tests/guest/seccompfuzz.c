/*
 * seccompfuzz.c: random seccomp filters against a model: what a chain of them says of random calls is what an interpreter
 * of our own says (spec §8; man 2 seccomp). Calls that do not exist are judged: ENOSYS means that they were allowed.
 */
#include "t.h"
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#define FIRST_HOLE	340	/* x86-64 has no calls from here to 423, nor from 600 */
#define BODY		40
#define PROLOGUE	6
#define LEN		(PROLOGUE + BODY + 4)

static unsigned seed;

static unsigned rnd(unsigned n)
{
	seed = seed * 1103515245 + 12345;
	return (seed >> 16) % n;
}

static struct sock_filter insn(unsigned code, unsigned jt, unsigned jf, unsigned k)
{
	return (struct sock_filter){ code, jt, jf, k };
}

/* Small numbers that meet those of the calls and of their arguments often. */
static unsigned number(void)
{
	switch (rnd(3)) {
	case 0:	return FIRST_HOLE + rnd(84);
	case 1: return rnd(4);
	}
	return 0x80000000u >> rnd(32);
}

/* An instruction of a body, which `left` others follow; plain: as most filters are, without X and memory. */
static struct sock_filter random_insn(int left, int plain)
{
	static const unsigned jumps[] = { BPF_JEQ, BPF_JGT, BPF_JGE, BPF_JSET };
	static const unsigned alus[] = { BPF_ADD, BPF_SUB, BPF_MUL, BPF_AND, BPF_OR, BPF_XOR };
	const unsigned source = !plain && rnd(2) ? BPF_X : BPF_K;

	switch (plain ? 3 + rnd(9) : rnd(12)) {
	case 0:	return insn(rnd(2) ? BPF_LDX | BPF_MEM : BPF_LD | BPF_MEM, 0, 0, rnd(2));
	case 1:	return insn(rnd(2) ? BPF_STX : BPF_ST, 0, 0, rnd(2));
	case 2:	return insn(BPF_MISC | (rnd(2) ? BPF_TAX : BPF_TXA), 0, 0, 0);
	case 3: case 4:
		return insn(BPF_LD | BPF_W | BPF_ABS, 0, 0, 4 * rnd(sizeof(struct seccomp_data) / 4));
	case 5:	return insn(BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, nr));
	case 6: case 7:
		return insn(BPF_ALU | alus[rnd(6)] | source, 0, 0, number());
	case 8:	return insn(BPF_RET | BPF_K, 0, 0, rnd(3) ? SECCOMP_RET_ALLOW : SECCOMP_RET_ERRNO | (100 + rnd(20)));
	}
	return insn(BPF_JMP | jumps[rnd(4)] | source, rnd(left + 1), rnd(left + 1), number());
}

static void random_filter(struct sock_filter *f)
{
	const int allow = LEN - 1, plain = rnd(2);
	int at = 0;

	f[at++] = insn(BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, nr));
	f[at] = insn(BPF_JMP | BPF_JGE | BPF_K, 0, allow - at - 1, FIRST_HOLE);
	at++;
	f[at++] = insn(BPF_JMP | BPF_JGE | BPF_K, 0, 1, 424);
	f[at] = insn(BPF_JMP | BPF_JGE | BPF_K, 0, allow - at - 1, 600);
	at++;
	for (int word = 0; word < 2; word++)		/* or the loader refuses a body that reads it */
		f[at++] = plain ? insn(BPF_LD | BPF_IMM, 0, 0, number()) : insn(BPF_ST, 0, 0, word);
	for (int left = BODY - 1; left >= 0; left--)
		f[at++] = random_insn(left, plain);
	f[at++] = insn(BPF_ALU | BPF_AND | BPF_K, 0, 0, 15);
	f[at++] = insn(BPF_ALU | BPF_OR | BPF_K, 0, 0, SECCOMP_RET_ERRNO | 112);
	f[at++] = insn(BPF_RET | BPF_A, 0, 0, 0);
	f[at++] = insn(BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW);
}

static unsigned model(const struct sock_filter *f, const struct seccomp_data *d)
{
	unsigned a = 0, x = 0, mem[BPF_MEMWORDS] = { 0 };

	for (;; f++) {
		const unsigned b = BPF_SRC(f->code) == BPF_X ? x : f->k;
		int yes = 0;

		switch (BPF_CLASS(f->code)) {
		case BPF_RET:	return f->code & BPF_A ? a : f->k;
		case BPF_ST:	mem[f->k] = a; break;
		case BPF_STX:	mem[f->k] = x; break;
		case BPF_LDX:	x = mem[f->k]; break;
		case BPF_LD:
			switch (BPF_MODE(f->code)) {
			case BPF_IMM:	a = f->k; break;
			case BPF_MEM:	a = mem[f->k]; break;
			case BPF_ABS:	a = ((const unsigned *)d)[f->k / 4]; break;
			}
			break;
		case BPF_MISC:
			if (BPF_MISCOP(f->code) == BPF_TAX)
				x = a;
			else
				a = x;
			break;
		case BPF_JMP:
			switch (BPF_OP(f->code)) {
			case BPF_JEQ:	yes = a == b; break;
			case BPF_JGT:	yes = a > b; break;
			case BPF_JGE:	yes = a >= b; break;
			case BPF_JSET:	yes = (a & b) != 0; break;
			}
			f += yes ? f->jt : f->jf;
			break;
		case BPF_ALU:
			switch (BPF_OP(f->code)) {
			case BPF_ADD:	a += b; break;
			case BPF_SUB:	a -= b; break;
			case BPF_MUL:	a *= b; break;
			case BPF_AND:	a &= b; break;
			case BPF_OR:	a |= b; break;
			case BPF_XOR:	a ^= b; break;
			}
		}
	}
}

/* The newest filter counts first; an older one only where it is stricter. */
static int expected(struct sock_filter f[][LEN], int filters, const struct seccomp_data *d)
{
	unsigned verdict = SECCOMP_RET_ALLOW;

	for (int i = filters - 1; i >= 0; i--) {
		unsigned v = model(f[i], d);

		if ((int)(v & SECCOMP_RET_ACTION_FULL) < (int)(verdict & SECCOMP_RET_ACTION_FULL))
			verdict = v;
	}
	return verdict == SECCOMP_RET_ALLOW ? ENOSYS : (int)(verdict & SECCOMP_RET_DATA);
}

/* Where the instruction pointer of a call is looked at, the model has to know it too. */
static __attribute__((noinline, noclone)) long call(int nr, const unsigned long *arg, unsigned long *ip)
{
	register unsigned long r10 asm("r10") = arg[3], r8 asm("r8") = arg[4], r9 asm("r9") = arg[5];
	long ret = nr;
	unsigned long at;

	asm volatile("syscall; 1: lea 1b(%%rip), %[at]"
		     : "+a"(ret), [at] "=&c"(at)
		     : "D"(arg[0]), "S"(arg[1]), "d"(arg[2]), "r"(r10), "r"(r8), "r"(r9) : "r11", "memory");
	*ip = at;
	return ret;
}

static void one_chain(int filters)
{
	static struct sock_filter f[3][LEN];
	unsigned long ip, none[6] = { 0 };

	CHECK_OK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	call(FIRST_HOLE, none, &ip);
	for (int i = 0; i < filters; i++) {
		struct sock_fprog p = { LEN, f[i] };

		random_filter(f[i]);
		CHECK_OK(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &p));
	}
	for (int i = 0; i < 200; i++) {
		struct seccomp_data d = { .nr = rnd(8) ? FIRST_HOLE + rnd(84) : 600 + rnd(4), .arch = 0xc000003e,
					  .instruction_pointer = ip };
		unsigned long arg[6];

		for (int j = 0; j < 6; j++)
			d.args[j] = arg[j] = rnd(2) ? number() : (unsigned long)number() << 32 | number();
		CHECK_EQ(-call(d.nr, arg, &ip), expected(f, filters, &d));
	}
}

TEST(chains)
{
	for (unsigned round = 0; round < 300; round++) {
		pid_t pid = CHECK_OK(fork());

		if (!pid) {
			seed = round * 2654435761u + 1;
			one_chain(1 + round % 3);
			_exit(0);
		}
		CHECK_EQ(t_wait(pid), 0);
	}
}
