/*
 * irq.c: /proc/irq: which processors each interrupt may go to.
 *
 * What:    for each interrupt in use a folder with smp_affinity and smp_affinity_list (what is asked for; may be written) and
 *          effective_affinity and effective_affinity_list (where it goes).
 * Locking: arch's (irq_set_affinity()).
 * See:     proc(5); kernel/arch/x86/kernel/irq.c
 */
#include <weft/kernel.h>
#include <weft/bitmap.h>
#include <weft/cpumask.h>
#include <weft/ctype.h>
#include <weft/init.h>
#include <weft/irq.h>
#include <weft/proc_fs.h>
#include <weft/string.h>
#include <weft/uio.h>

/* What a file shows and how, in its entry's data beside the irq. */
enum { LIST = 1, EFFECTIVE = 2, KINDS = 4 };

static void *data_of(unsigned int irq, unsigned int kind) { return (void *)(unsigned long)(irq * KINDS + kind); }
static unsigned int irq_of(const void *data) { return (unsigned int)((unsigned long)data / KINDS); }
static unsigned int kind_of(const void *data) { return (unsigned long)data % KINDS; }

static int affinity_show(struct seq_file *m, void *v)
{
	struct cpumask asked, effective;
	const struct cpumask *mask = kind_of(m->private) & EFFECTIVE ? &effective : &asked;

	irq_get_affinity(irq_of(m->private), &asked, &effective);
	if (kind_of(m->private) & LIST)
		seq_printf(m, "%*pbl\n", cpumask_pr_args(mask));
	else
		seq_printf(m, "%*pb\n", cpumask_pr_args(mask));
	return 0;
}

static int affinity_open(struct inode *inode, struct file *file)
{
	return single_open(file, affinity_show, pde_data(inode));
}

/* Hexadecimal, in groups of 8 with commas between them. */
static int parse_mask(const char *s, struct cpumask *mask)
{
	u64 bits = 0;
	int digits = 0;

	for (; *s && !isspace((unsigned char)*s); s++) {
		if (*s == ',')
			continue;
		if (!isxdigit((unsigned char)*s) || bits >> 60)
			return -EINVAL;
		bits = bits << 4 | (u64)(isdigit((unsigned char)*s) ? *s - '0' : tolower((unsigned char)*s) - 'a' + 10);
		digits++;
	}
	mask->bits[0] = bits;
	return digits ? 0 : -EINVAL;
}

static ssize_t affinity_write(struct kiocb *iocb, struct iov_iter *from)
{
	void *data = pde_data(file_inode(iocb->ki_filp));
	size_t len = iov_iter_count(from);
	struct cpumask mask;
	char text[80];
	int err;

	if (len >= sizeof(text))
		return -EINVAL;
	if (!copy_from_iter_full(text, len, from))
		return -EFAULT;
	text[len] = 0;
	err = kind_of(data) & LIST ? bitmap_parselist(text, mask.bits, nr_cpu_ids) : parse_mask(text, &mask);
	if (!err)
		err = irq_set_affinity(irq_of(data), &mask);
	return err ? err : (ssize_t)len;
}

static const struct proc_ops affinity_ops = {
	.proc_open = affinity_open, .proc_read_iter = seq_read_iter, .proc_write_iter = affinity_write, .proc_lseek = seq_lseek,
	.proc_release = single_release,
};

static void add_irq(unsigned int irq)
{
	static const char *const names[KINDS] = {
		"smp_affinity", "smp_affinity_list", "effective_affinity", "effective_affinity_list",
	};
	char path[24];
	struct proc_dir_entry *dir;

	snprintf(path, sizeof(path), "irq/%u", irq);
	dir = proc_mkdir(path, NULL);
	for (unsigned int kind = 0; dir && kind < KINDS; kind++)
		proc_create_data(names[kind], kind & EFFECTIVE ? 0444 : 0644, dir, &affinity_ops, data_of(irq, kind));
}

static int __init proc_irq_init(void)
{
	proc_mkdir("irq", NULL);
	irq_first_request = add_irq;
	for (unsigned int irq = 0; irq < NR_IRQS; irq++)
		if (irq_in_use(irq))
			add_irq(irq);
	return 0;
}
fs_initcall(proc_irq_init);
