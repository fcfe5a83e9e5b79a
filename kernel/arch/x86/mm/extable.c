/*
 * extable.c: which instructions may fault on purpose, and where to go on when they do.
 *
 * Idea:    the table is collected by the linker from all over the kernel (asm/asm.h), sorted by address once at start-up,
 *          and searched by halves.  Entries hold distances from themselves, so sorting must re-base what it moves.
 * Locking: [I] after sort_main_extable(); any context.
 * See:     asm/extable.h, asm/uaccess.h; fault.c and traps.c ask it
 */
#include <weft/init.h>
#include <weft/kernel.h>
#include <asm/extable.h>
#include <asm/ptrace.h>

extern struct exception_table_entry __start___ex_table[], __stop___ex_table[];

static unsigned long insn_of(const struct exception_table_entry *e)
{
	return (unsigned long)&e->insn + (unsigned long)(long)e->insn;
}

static unsigned long fixup_of(const struct exception_table_entry *e)
{
	return (unsigned long)&e->fixup + (unsigned long)(long)e->fixup;
}

static void __init set_entry(struct exception_table_entry *e, unsigned long insn, unsigned long fixup)
{
	e->insn = (int)(insn - (unsigned long)&e->insn);
	e->fixup = (int)(fixup - (unsigned long)&e->fixup);
}

/*
 * Insertion with a shrinking gap: a thousand entries that come mostly in order, from sections that the linker kept
 * together.  Before that, the table is still writable.
 */
void __init sort_main_extable(void)
{
	struct exception_table_entry *table = __start___ex_table;
	long n = __stop___ex_table - table;

	for (long gap = 281; gap; gap = gap == 1 ? 0 : gap / 3) {
		for (long i = gap; i < n; i++) {
			unsigned long insn = insn_of(&table[i]), fixup = fixup_of(&table[i]);
			long j = i;

			for (; j >= gap && insn_of(&table[j - gap]) > insn; j -= gap)
				set_entry(&table[j], insn_of(&table[j - gap]), fixup_of(&table[j - gap]));
			set_entry(&table[j], insn, fixup);
		}
	}
}

const struct exception_table_entry *search_exception_tables(unsigned long ip)
{
	const struct exception_table_entry *low = __start___ex_table, *high = __stop___ex_table;

	while (low < high) {
		const struct exception_table_entry *middle = low + (high - low) / 2;

		if (insn_of(middle) == ip)
			return middle;
		if (insn_of(middle) < ip)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

bool fixup_exception(struct pt_regs *regs)
{
	const struct exception_table_entry *e = search_exception_tables(regs->ip);

	if (!e)
		return false;
	regs->ip = fixup_of(e);
	return true;
}
