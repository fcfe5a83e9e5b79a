/*
 * ioport.c: ports for programs: ioperm(2) and iopl(2).
 *
 * Idea:    a port may be used in user mode if its bit in the task-state segment's bitmap is 0.  A thread that asked for ports
 *          has a bitmap of its own, which its children share until one of them changes it.  iopl(3) is the bitmap in which all
 *          bits are 0: the real privilege level stays 0, so nobody can turn interrupts off (cli and sti do nothing).
 * Switch:  thread->ports is the bitmap in force.  The common switch compares two NULLs.  A CPU remembers whose bits its
 *          segment holds by the bitmap's number, so that going back and forth between such a thread and others copies
 *          nothing: only the place of the bitmap in the segment is made valid or not.
 * Locking: a bitmap that is shared never changes; one that is not belongs to its thread.  The segment: interrupts off, its CPU.
 * See:     ioperm(2), iopl(2); Intel SDM vol. 1 §19.5
 */
#include <weft/atomic.h>
#include <weft/capability.h>
#include <weft/kernel.h>
#include <weft/refcount.h>
#include <weft/sched.h>
#include <weft/slab.h>
#include <weft/string.h>
#include <weft/syscalls.h>
#include <weft/uaccess.h>
#include <asm/desc.h>
#include <asm/irqflags.h>
#include <asm/ioport.h>

#define NR_PORTS	(8 * IO_BITMAP_BYTES)
#define INSN_CLI	0xfa
#define INSN_STI	0xfb

struct io_bitmap {
	refcount_t	refs;		/* threads */
	u64		number;		/* another one whenever the bits change */
	unsigned long	bits[IO_BITMAP_BYTES / sizeof(unsigned long)];	/* 1: forbidden */
};

static struct io_bitmap all_ports = { .number = 1 };
static atomic64_t last_number = ATOMIC64_INIT(1);
static DEFINE_PER_CPU(u64, loaded_number);	/* [c] interrupts off: whose bits are in this CPU's segment */

void load_io_bitmap(const struct thread_struct *t)
{
	struct tss_struct *tss = this_cpu_ptr(&cpu_tss);

	if (!t->ports) {
		tss->io_bitmap_base = IO_BITMAP_NONE;
		return;
	}
	if (this_cpu_read(loaded_number) != t->ports->number) {
		memcpy(tss->io_bitmap, t->ports->bits, IO_BITMAP_BYTES);
		this_cpu_write(loaded_number, t->ports->number);
	}
	tss->io_bitmap_base = offsetof(struct tss_struct, io_bitmap);
}

/* Current's bitmap or level is another one, or has other bits. */
static void update_ports(void)
{
	struct thread_struct *t = &current->thread;
	unsigned long flags;

	local_irq_save(flags);
	t->ports = t->iopl == 3 ? &all_ports : t->io_bitmap;
	load_io_bitmap(t);
	local_irq_restore(flags);
}

static void put_bitmap(struct io_bitmap *map)
{
	if (map && refcount_dec_and_test(&map->refs))
		kfree(map);
}

void io_bitmap_share(struct task_struct *p)
{
	struct thread_struct *mine = &current->thread, *t = &p->thread;

	if (mine->io_bitmap)
		refcount_inc(&mine->io_bitmap->refs);
	t->io_bitmap = mine->io_bitmap;
	t->ports = mine->ports;
	t->iopl = mine->iopl;
}

void io_bitmap_exit(struct task_struct *p)
{
	struct io_bitmap *map = p->thread.io_bitmap;

	if (likely(!p->thread.ports && !map))
		return;
	p->thread.io_bitmap = NULL;
	p->thread.iopl = 0;
	if (p == current)
		update_ports();
	else
		p->thread.ports = NULL;
	put_bitmap(map);
}

/* Current's bitmap, which nobody else has; made if need be.  NULL: no memory. */
static struct io_bitmap *own_bitmap(void)
{
	struct io_bitmap *old = current->thread.io_bitmap, *map;

	if (old && refcount_read(&old->refs) == 1)
		return old;
	map = kmalloc(sizeof(*map), GFP_KERNEL);
	if (!map)
		return NULL;
	refcount_set(&map->refs, 1);
	if (old)
		memcpy(map->bits, old->bits, sizeof(map->bits));
	else
		memset(map->bits, 0xff, sizeof(map->bits));
	return map;
}

long sys_ioperm(unsigned long from, unsigned long num, int on)
{
	struct thread_struct *t = &current->thread;
	struct io_bitmap *old = t->io_bitmap, *map;

	if (from + num <= from || from + num > NR_PORTS)
		return -EINVAL;
	if (on && !capable(CAP_SYS_RAWIO))
		return -EPERM;
	if (!old && !on)
		return 0;
	map = own_bitmap();
	if (!map)
		return -ENOMEM;
	if (on)
		bitmap_clear(map->bits, (unsigned int)from, (unsigned int)num);
	else
		bitmap_set(map->bits, (unsigned int)from, (unsigned int)num);
	map->number = (u64)atomic64_inc_return(&last_number);
	t->io_bitmap = map;
	update_ports();
	if (old != map)
		put_bitmap(old);
	return 0;
}

long sys_iopl(unsigned int level)
{
	struct thread_struct *t = &current->thread;

	if (level > 3)
		return -EINVAL;
	if (level > t->iopl && !capable(CAP_SYS_RAWIO))
		return -EPERM;
	t->iopl = (u8)level;
	update_ports();
	return 0;
}

/* A program that asked for level 3 may think that it can turn interrupts off: let it.  Interrupts on. */
bool fixup_iopl_exception(struct pt_regs *regs)
{
	u8 insn;

	if (current->thread.iopl != 3 || get_user(insn, (const u8 __user *)regs->ip))
		return false;
	if (insn != INSN_CLI && insn != INSN_STI)
		return false;
	regs->ip++;
	return true;
}
