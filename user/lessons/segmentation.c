/*
 * segmentation: the oldest way to give each program memory of its own: a base, a limit, and a processor that checks.
 *
 * Seeds:  003 "Segmentation": program A sees 0 .. 0x00a00000 and really has the memory from some base on; the processor adds
 *         the base to each address (0x00001000 becomes base + 0x00001000), and refuses what lies beyond the limit.
 * What:   a 32-bit program, since 64-bit mode has no limits any more.  It makes two segments by modify_ldt(2), A and B, of
 *         64 KiB each, at two places of its memory, and reaches them through %fs.
 * Expect: (1) offset 0x1000 of A and of B are two different bytes, at base + 0x1000 each.  (2) The last byte within the limit
 *         can be read.  (3) One byte further is SIGSEGV, although the memory there is the program's own: without the
 *         segment it can be read.  (4) A segment that may only be read cannot be written.
 * Emulators: QEMU's software emulation adds the base but checks neither limit nor right.  So the lesson asks the processor
 *         for the segment's limit and right as well (lsl, verw), which shows what the kernel installed; if those are as they
 *         must be and the access goes through all the same, it says so and ends with "skip".
 * Note:   no C library: 32-bit ones are not everywhere.  System calls are made by `int $0x80`, as the seed shows.
 */
#define NR_exit		1
#define NR_fork		2
#define NR_write	4
#define NR_waitpid	7
#define NR_modify_ldt	123

#define SIZE		0x10000u
#define SIGSEGV		11
#define SELECTOR(n)	((n) * 8 + 7)		/* of the LDT, for user mode */

struct user_desc {
	unsigned int entry_number, base_addr, limit;
	unsigned int seg_32bit:1, contents:2, read_exec_only:1, limit_in_pages:1, seg_not_present:1, useable:1;
};

/* Two programs' memory, and something behind each that belongs to neither. */
static unsigned char memory[4 * SIZE] __attribute__((aligned(4096)));
#define BASE_A	(memory)
#define BASE_B	(memory + 2 * SIZE)

static int call3(int nr, long a, long b, long c)
{
	int ret;

	asm volatile("int $0x80" : "=a"(ret) : "a"(nr), "b"(a), "c"(b), "d"(c) : "memory");
	return ret;
}

static void say(const char *text)
{
	int n = 0;

	while (text[n])
		n++;
	call3(NR_write, 1, (long)text, n);
}

static void say_hex(unsigned int v)
{
	char out[] = "0x00000000";

	for (int i = 9; i > 1; i--, v >>= 4)
		out[i] = "0123456789abcdef"[v & 15];
	say(out);
}

static void end(int code, const char *verdict)
{
	say("lesson segmentation: ");
	say(verdict);
	say("\n");
	call3(NR_exit, code, 0, 0);
}

static void must(int condition, const char *otherwise)
{
	if (condition)
		return;
	say("lesson segmentation: NOT shown: ");
	say(otherwise);
	say("\n");
	call3(NR_exit, 1, 0, 0);
}

/* Segment n of the LDT: [base, base + SIZE). */
static int make_segment(int n, void *base, int read_only)
{
	struct user_desc d = {
		.entry_number = (unsigned int)n, .base_addr = (unsigned int)base, .limit = SIZE - 1, .seg_32bit = 1,
		.read_exec_only = read_only != 0, .useable = 1,
	};

	return call3(NR_modify_ldt, 0x11, (long)&d, sizeof(d));
}

static void use_segment(int n)
{
	asm volatile("mov %w0, %%fs" : : "r"(SELECTOR(n)));
}

static unsigned char get(unsigned int offset)
{
	unsigned char v;

	asm volatile("movb %%fs:(%1), %0" : "=q"(v) : "r"(offset) : "memory");
	return v;
}

static void put(unsigned int offset, unsigned char v)
{
	asm volatile("movb %0, %%fs:(%1)" : : "q"(v), "r"(offset) : "memory");
}

/* What the processor says of segment n: its last offset, and whether it may be written. */
static unsigned int limit_of(int n)
{
	unsigned int limit = 0;

	asm volatile("lsl %1, %0" : "+r"(limit) : "r"(SELECTOR(n)) : "cc");
	return limit;
}

static int may_write(int n)
{
	unsigned char yes;

	asm volatile("verw %w1; setz %0" : "=q"(yes) : "r"(SELECTOR(n)) : "cc");
	return yes;
}

/* The signal that a child dies of which reads (or writes) the segment in use at this offset, 0: none. */
static int dies_of(unsigned int offset, int write)
{
	int status = 0, pid = call3(NR_fork, 0, 0, 0);

	if (!pid) {
		if (write)
			put(offset, 1);
		else
			(void)get(offset);
		call3(NR_exit, 0, 0, 0);
	}
	must(pid > 0, "fork failed");
	must(call3(NR_waitpid, pid, (long)&status, 0) == pid, "waitpid failed");
	return status & 0x7f;
}

void _start(void)
{
	if (make_segment(0, BASE_A, 0) || make_segment(1, BASE_B, 0) || make_segment(2, BASE_A, 1))
		end(77, "skip: this kernel has no modify_ldt");
	say("A has base ");
	say_hex((unsigned int)BASE_A);
	say(", B has base ");
	say_hex((unsigned int)BASE_B);
	say(", both the limit ");
	say_hex(SIZE - 1);
	say("\n");

	use_segment(0);
	put(0x1000, 'a');
	use_segment(1);
	put(0x1000, 'b');
	say("both wrote to their address 0x00001000: at base + 0x1000 of A there is now '");
	call3(NR_write, 1, (long)(BASE_A + 0x1000), 1);
	say("', of B '");
	call3(NR_write, 1, (long)(BASE_B + 0x1000), 1);
	say("'\n");
	must(BASE_A[0x1000] == 'a' && BASE_B[0x1000] == 'b', "the base was not added");
	must(get(0x1000) == 'b', "B does not read what it wrote");

	use_segment(0);
	must(dies_of(SIZE - 1, 0) == 0, "the last byte within the limit cannot be read");
	BASE_A[SIZE] = 'x';
	must(BASE_A[SIZE] == 'x', "the byte behind A is not the program's own");
	must(limit_of(0) == SIZE - 1 && limit_of(1) == SIZE - 1, "the processor knows another limit");
	must(may_write(0) && !may_write(2), "the processor knows another right");
	if (!dies_of(SIZE, 0))
		end(77, "skip: this processor (QEMU's emulation?) knows the limit and does not check it");
	say("the last byte within the limit can be read, the next one is SIGSEGV, although the memory is there\n");

	use_segment(2);
	must(dies_of(0x1000, 0) == 0, "a segment for reading cannot be read");
	must(dies_of(0x1000, 1) == SIGSEGV, "a segment for reading was written");
	say("a segment that may only be read: writing is SIGSEGV\n");
	end(0, "shown");
}
