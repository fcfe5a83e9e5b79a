/*
 * binfmt_elf.c: loads ELF programs of 64 and 32 bits: static, position-independent, and with a dynamic linker.
 *
 * What:    maps the PT_LOAD segments of the program and of its interpreter (PT_INTERP), clears what is beyond the file
 *          (bss), writes the auxiliary vector and the argument pointers onto the stack, and sets the registers.
 * Idea:    all headers are read and checked before begin_new_exec(); behind it a failure can only kill.
 *          A segment's last page may reach beyond the file's bytes: the rest of it is zeroed, whole pages are anonymous.
 *
 *          top of stack:  file name, environment and argument strings (exec_args.c)
 *                         "x86_64", 16 random bytes
 *                         auxv, NULL, envp pointers, NULL, argv pointers, argc   <- rsp, 16-byte aligned
 * 32 bits: the headers are widened when they are read, so that the loader knows one kind; words on the stack are written in
 *          the program's size.
 * ASLR:    unless ADDR_NO_RANDOMIZE: stack top, mmap base (mm), heap start, program base of PIE.
 * See:     elf(5), getauxval(3); the System V ABI for x86-64, "Process Initialization"; spec.md §3 "execve"
 */
#include <weft/kernel.h>
#include <weft/binfmts.h>
#include <weft/cred.h>
#include <weft/elf.h>
#include <weft/file.h>
#include <weft/init.h>
#include <weft/jiffies.h>
#include <weft/mm.h>
#include <weft/mman.h>
#include <weft/personality.h>
#include <weft/random.h>
#include <weft/signal.h>
#include <weft/slab.h>
#include <weft/uaccess.h>
#include "exec.h"
#include "internal.h"

#define MAX_PHDRS_SIZE	65536
#define MAX_INTERP_NAME	PATH_MAX
#define STACK_RND_PAGES	0x3fffff	/* 16 GiB of places for the stack */
#define STACK_RND_PAGES_32 0x7ff	/* 8 MiB */
#define MMAP_RND_BITS	28
#define MMAP_RND_BITS_32 8
#define BAD_ADDR(x)	((unsigned long)(x) >= TASK_SIZE)

/* A file's headers. */
struct elf_image {
	struct file	*file;
	struct elfhdr	hdr;			/* widened */
	struct elf_phdr	*phdrs;			/* hdr.e_phnum of them, kfree() it */
};

/* What the loading of one image found out. */
struct elf_layout {
	unsigned long	bias;			/* address in memory - address in the file */
	unsigned long	phdr_addr;		/* where the program headers lie in memory, 0: nowhere */
	unsigned long	start_code, end_code, start_data, end_data;
	unsigned long	end_file;		/* highest byte that comes from the file */
	unsigned long	end_mem;		/* highest byte at all: bss */
	int		bss_prot;
};

/* ---- reading headers ---- */

static int elf_read(struct file *file, void *buf, size_t len, loff_t pos)
{
	ssize_t n = kernel_read(file, buf, len, &pos);

	if (n == (ssize_t)len)
		return 0;
	return n < 0 ? (int)n : -EIO;
}

static bool is_32bit(const struct elf_image *img)
{
	return img->hdr.e_ident[EI_CLASS] == ELFCLASS32;
}

/* The file's first bytes into img->hdr; false: this is no program for this processor. */
static bool take_header(struct elf_image *img, const void *bytes)
{
	const struct elf32_hdr *h = bytes;

	memcpy(&img->hdr, bytes, sizeof(img->hdr));
	if (memcmp(img->hdr.e_ident, ELFMAG, SELFMAG) || !img->file->f_op->mmap)
		return false;
	if (is_32bit(img)) {
		img->hdr.e_entry = h->e_entry;
		img->hdr.e_phoff = h->e_phoff;
		img->hdr.e_phentsize = h->e_phentsize;
		img->hdr.e_phnum = h->e_phnum;
	}
	return (img->hdr.e_type == ET_EXEC || img->hdr.e_type == ET_DYN) &&
	       elf_check_arch(&img->hdr, img->hdr.e_ident[EI_CLASS]);
}

/* n headers of 32 bits, at the end of room for n of 64: widened from the first on, no unread one is overwritten. */
static void widen_phdrs(struct elf_phdr *to, const struct elf32_phdr *from, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		struct elf32_phdr p = from[i];

		to[i] = (struct elf_phdr){ .p_type = p.p_type, .p_flags = p.p_flags, .p_offset = p.p_offset,
					   .p_vaddr = p.p_vaddr, .p_paddr = p.p_paddr, .p_filesz = p.p_filesz,
					   .p_memsz = p.p_memsz, .p_align = p.p_align };
	}
}

static int load_phdrs(struct elf_image *img)
{
	unsigned int n = img->hdr.e_phnum;
	size_t entry = is_32bit(img) ? sizeof(struct elf32_phdr) : sizeof(struct elf_phdr);
	size_t size = n * entry, room = n * sizeof(struct elf_phdr);
	char *bytes;
	int err;

	if (img->hdr.e_phentsize != entry || !size || size > MAX_PHDRS_SIZE)
		return -ENOEXEC;
	img->phdrs = kmalloc(room, GFP_KERNEL);
	if (!img->phdrs)
		return -ENOMEM;
	bytes = (char *)img->phdrs + room - size;
	err = elf_read(img->file, bytes, size, (loff_t)img->hdr.e_phoff);
	if (err) {
		kfree(img->phdrs);
		img->phdrs = NULL;
		return err;
	}
	if (is_32bit(img))
		widen_phdrs(img->phdrs, (const struct elf32_phdr *)bytes, n);
	return 0;
}

static const struct elf_phdr *find_phdr(const struct elf_image *img, u32 type)
{
	for (int i = 0; i < img->hdr.e_phnum; i++)
		if (img->phdrs[i].p_type == type)
			return &img->phdrs[i];
	return NULL;
}

/* Opens the dynamic linker that the program names and reads its headers.  img->file stays NULL when there is none. */
static int open_interpreter(struct linux_binprm *bprm, const struct elf_image *prog, struct elf_image *img)
{
	const struct elf_phdr *ph = find_phdr(prog, PT_INTERP);
	struct elfhdr hdr;
	char *name;
	int err;

	if (!ph)
		return 0;
	if (ph->p_filesz < 2 || ph->p_filesz > MAX_INTERP_NAME)
		return -ENOEXEC;
	name = kmalloc(ph->p_filesz, GFP_KERNEL);
	if (!name)
		return -ENOMEM;
	err = elf_read(prog->file, name, ph->p_filesz, (loff_t)ph->p_offset);
	if (!err && name[ph->p_filesz - 1])
		err = -ENOEXEC;
	if (!err) {
		img->file = open_exec(name);
		err = PTR_ERR_OR_ZERO(img->file);
		if (err)
			img->file = NULL;
	}
	kfree(name);
	if (err)
		return err;
	would_dump(bprm, img->file);
	err = elf_read(img->file, &hdr, sizeof(hdr), 0);
	if (err)
		return err;
	if (!take_header(img, &hdr) || is_32bit(img) != is_32bit(prog))
		return -ELIBBAD;
	return load_phdrs(img);
}

static void close_interpreter(struct elf_image *img)
{
	kfree(img->phdrs);
	exec_file_put(img->file);
}

/* ---- mapping segments ---- */

static int phdr_prot(const struct elf_phdr *ph)
{
	return (ph->p_flags & PF_R ? PROT_READ : 0) | (ph->p_flags & PF_W ? PROT_WRITE : 0) |
	       (ph->p_flags & PF_X ? PROT_EXEC : 0);
}

/* From the first page of the first segment to the end of the last. */
static unsigned long total_size(const struct elf_image *img)
{
	unsigned long min = -1UL, max = 0;

	for (int i = 0; i < img->hdr.e_phnum; i++) {
		const struct elf_phdr *ph = &img->phdrs[i];

		if (ph->p_type != PT_LOAD)
			continue;
		min = min(min, ph->p_vaddr & PAGE_MASK);
		max = max(max, ph->p_vaddr + ph->p_memsz);
	}
	return max > min ? max - min : 0;
}

static unsigned long max_align(const struct elf_image *img)
{
	unsigned long align = PAGE_SIZE;

	for (int i = 0; i < img->hdr.e_phnum; i++) {
		unsigned long a = img->phdrs[i].p_align;

		if (img->phdrs[i].p_type == PT_LOAD && is_power_of_2(a))
			align = max(align, a);
	}
	return align;
}

/*
 * Maps the file part of one segment at addr.  total: for the first segment, room for the whole image is found (and the
 * rest of it unmapped again), so that the others fit behind it.  The address, or -errno as an unsigned long.
 */
static unsigned long map_segment(struct file *file, unsigned long addr, const struct elf_phdr *ph, unsigned long flags,
				 unsigned long total)
{
	unsigned long size = ph->p_filesz + (ph->p_vaddr & ~PAGE_MASK), off = ph->p_offset - (ph->p_vaddr & ~PAGE_MASK);
	unsigned long map;

	addr &= PAGE_MASK;
	size = PAGE_ALIGN(size);
	if (!size)
		return addr;
	if (!total)
		return vm_mmap(file, addr, size, phdr_prot(ph), flags, off);
	total = PAGE_ALIGN(total);
	map = vm_mmap(file, addr, total, phdr_prot(ph), flags, off);
	if (!BAD_ADDR(map) && total > size)
		vm_munmap(map + size, total - size);
	return map;
}

/* Zeroes the rest of the page that the file's last byte lies in.  A read-only page cannot have a bss: then no harm. */
static int clear_tail(unsigned long end_file, int prot)
{
	unsigned long rest = end_file & ~PAGE_MASK;

	if (rest && clear_user((void __user *)end_file, PAGE_SIZE - rest) && (prot & PROT_WRITE))
		return -EFAULT;
	return 0;
}

/* Anonymous memory for [end_file, end_mem), and zeroes up to the page boundary. */
static int map_bss(const struct elf_layout *l)
{
	unsigned long start = PAGE_ALIGN(l->end_file), end = PAGE_ALIGN(l->end_mem);

	if (l->end_mem <= l->end_file)
		return 0;
	if (end > start) {
		int err = vm_brk_flags(start, end - start, l->bss_prot & PROT_EXEC ? VM_EXEC : 0);

		if (err)
			return err;
	}
	return clear_tail(l->end_file, l->bss_prot);
}

/* Notes where segment ph, mapped with l->bias, begins and ends. */
static int note_segment(const struct elf_image *img, const struct elf_phdr *ph, struct elf_layout *l)
{
	unsigned long start = ph->p_vaddr + l->bias, end_file = start + ph->p_filesz, end_mem = start + ph->p_memsz;

	if (BAD_ADDR(start) || ph->p_filesz > ph->p_memsz || ph->p_memsz > TASK_SIZE || TASK_SIZE - ph->p_memsz < start)
		return -ENOEXEC;
	if (ph->p_offset <= img->hdr.e_phoff && img->hdr.e_phoff < ph->p_offset + ph->p_filesz)
		l->phdr_addr = img->hdr.e_phoff - ph->p_offset + start;
	if ((ph->p_flags & PF_X) && start < l->start_code)
		l->start_code = start;
	if ((ph->p_flags & PF_X) && end_file > l->end_code)
		l->end_code = end_file;
	l->start_data = max(l->start_data, start);
	l->end_data = max(l->end_data, end_file);
	l->end_file = max(l->end_file, end_file);
	if (end_mem > l->end_mem) {
		l->end_mem = end_mem;
		l->bss_prot = phdr_prot(ph);
	}
	return 0;
}

/* All PT_LOAD segments.  base: where the first is to lie for a position-independent image, 0: wherever there is room. */
static int map_image(const struct elf_image *img, unsigned long base, unsigned long fixed, struct elf_layout *l)
{
	bool first = true;

	*l = (struct elf_layout){ .start_code = -1UL };
	for (int i = 0; i < img->hdr.e_phnum; i++) {
		const struct elf_phdr *ph = &img->phdrs[i];
		unsigned long flags = MAP_PRIVATE, total = 0, addr;
		int err;

		if (ph->p_type != PT_LOAD)
			continue;
		/* A bss in the middle: it must be there before the next segment is mapped behind it. */
		err = map_bss(l);
		if (err)
			return err;
		l->end_file = max(l->end_file, l->end_mem);
		addr = ph->p_vaddr + l->bias;
		if (!first) {
			flags |= MAP_FIXED;
		} else if (img->hdr.e_type == ET_EXEC) {
			flags |= fixed;
		} else {
			total = total_size(img);
			if (!total)
				return -EINVAL;
			l->bias = base ? base - (ph->p_vaddr & PAGE_MASK) : 0;
			addr = base;
			if (base)
				flags |= fixed;
		}
		addr = map_segment(img->file, addr, ph, flags, total);
		if (BAD_ADDR(addr))
			return IS_ERR_VALUE(addr) ? (int)addr : -EINVAL;
		if (first && img->hdr.e_type == ET_DYN)
			l->bias = addr - (ph->p_vaddr & PAGE_MASK);
		first = false;
		err = note_segment(img, ph, l);
		if (err)
			return err;
	}
	return first ? -ENOEXEC : map_bss(l);
}

/* ---- the stack of a new program ---- */

struct auxv {
	unsigned long *p;
	unsigned int n;				/* words used */
};

static void aux(struct auxv *v, unsigned long key, unsigned long value)
{
	v->p[v->n++] = key;
	v->p[v->n++] = value;
}

static void fill_auxv(struct linux_binprm *bprm, const struct elf_image *prog, const struct elf_layout *l,
		      unsigned long interp_base, unsigned long entry, unsigned long platform, unsigned long random)
{
	const struct cred *cred = current_cred();
	struct auxv v = { .p = current->mm->saved_auxv };

	memset(v.p, 0, sizeof(current->mm->saved_auxv));
	if (!is_32bit(prog))
		aux(&v, AT_SYSINFO_EHDR, current->mm->context.vdso);
	aux(&v, AT_MINSIGSTKSZ, get_sigframe_size());
	aux(&v, AT_HWCAP, ELF_HWCAP);
	aux(&v, AT_PAGESZ, ELF_EXEC_PAGESIZE);
	aux(&v, AT_CLKTCK, USER_HZ);
	aux(&v, AT_PHDR, l->phdr_addr);
	aux(&v, AT_PHENT, prog->hdr.e_phentsize);
	aux(&v, AT_PHNUM, prog->hdr.e_phnum);
	aux(&v, AT_BASE, interp_base);
	aux(&v, AT_FLAGS, 0);
	aux(&v, AT_ENTRY, entry);
	aux(&v, AT_UID, from_kuid_munged(cred->user_ns, cred->uid));
	aux(&v, AT_EUID, from_kuid_munged(cred->user_ns, cred->euid));
	aux(&v, AT_GID, from_kgid_munged(cred->user_ns, cred->gid));
	aux(&v, AT_EGID, from_kgid_munged(cred->user_ns, cred->egid));
	aux(&v, AT_SECURE, bprm->secureexec);
	aux(&v, AT_RANDOM, random);
	aux(&v, AT_HWCAP2, ELF_HWCAP2);
	aux(&v, AT_EXECFN, bprm->exec);
	aux(&v, AT_PLATFORM, platform);
	BUILD_BUG_ON(sizeof(current->mm->saved_auxv) < 2 * 21 * sizeof(unsigned long));
}

/* One word of the program's size; *sp moves on. */
static int put_word(unsigned long *sp, unsigned long value, size_t word)
{
	void __user *to = (void __user *)*sp;

	*sp += word;
	if (word == sizeof(u32))
		return put_user((u32)value, (u32 __user *)to);
	return put_user(value, (unsigned long __user *)to);
}

/* Writes pointers to n strings that lie one after the other from *p on, then NULL. */
static int put_pointers(unsigned long *sp, unsigned long *p, int n, size_t word)
{
	while (n-- > 0) {
		long len;

		if (put_word(sp, *p, word))
			return -EFAULT;
		len = strnlen_user((void __user *)*p, MAX_ARG_STRLEN);
		if (!len || (unsigned long)len > MAX_ARG_STRLEN)
			return -EINVAL;
		*p += len;
	}
	return put_word(sp, 0, word);
}

/* Everything below the strings.  bprm->p is the stack pointer afterwards. */
static int create_tables(struct linux_binprm *bprm, const struct elf_image *prog, const struct elf_layout *l,
			 unsigned long interp_base, unsigned long entry)
{
	struct mm_struct *mm = current->mm;
	const char *platform_name = is_32bit(prog) ? ELF_PLATFORM_IA32 : ELF_PLATFORM;
	size_t platform_size = strlen(platform_name) + 1, word = is_32bit(prog) ? sizeof(u32) : sizeof(long);
	unsigned long p = bprm->p, platform, random, strings = mm->arg_start, sp;
	unsigned int auxv_words;
	u8 random_bytes[16];

	p = layout_is_random() ? arch_align_stack(p) : p & ~0xfUL;
	platform = p -= platform_size;
	get_random_bytes(random_bytes, sizeof(random_bytes));
	random = p -= sizeof(random_bytes);
	if (copy_to_user((void __user *)platform, platform_name, platform_size) ||
	    copy_to_user((void __user *)random, random_bytes, sizeof(random_bytes)))
		return -EFAULT;

	fill_auxv(bprm, prog, l, interp_base, entry, platform, random);
	for (auxv_words = 0; mm->saved_auxv[auxv_words]; auxv_words += 2)
		;
	auxv_words += 2;	/* AT_NULL */
	p -= (1 + bprm->argc + 1 + bprm->envc + 1 + auxv_words) * word;
	p &= ~0xfUL;
	bprm->p = p;

	sp = p;
	if (put_word(&sp, (unsigned long)bprm->argc, word))
		return -EFAULT;
	if (put_pointers(&sp, &strings, bprm->argc, word))
		return -EFAULT;
	mm->arg_end = mm->env_start = strings;
	if (put_pointers(&sp, &strings, bprm->envc, word))
		return -EFAULT;
	mm->env_end = strings;
	for (unsigned int i = 0; i < auxv_words; i++)
		if (put_word(&sp, mm->saved_auxv[i], word))
			return -EFAULT;
	return 0;
}

/* ---- the whole ---- */

static unsigned long stack_top(void)
{
	unsigned long places = test_thread_flag(TIF_ADDR32) ? STACK_RND_PAGES_32 : STACK_RND_PAGES;

	return STACK_TOP - (layout_is_random() ? (get_random_u64() & places) << PAGE_SHIFT : 0);
}

/*
 * Where a position-independent program goes: with a dynamic linker at its own place, away from the mappings; without one
 * it may be the linker itself, run as a program, and must not be in the way of what it loads: among the mappings.
 */
static unsigned long pie_base(const struct elf_image *prog, bool has_interp)
{
	unsigned long base = ELF_ET_DYN_BASE;

	if (prog->hdr.e_type != ET_DYN || !has_interp)
		return 0;
	if (layout_is_random())
		base += (get_random_u64() & ((1UL << (is_32bit(prog) ? MMAP_RND_BITS_32 : MMAP_RND_BITS)) - 1)) << PAGE_SHIFT;
	return round_down(base, max_align(prog));
}

static int executable_stack(const struct elf_image *prog)
{
	const struct elf_phdr *ph = find_phdr(prog, PT_GNU_STACK);

	if (!ph)
		return EXSTACK_DEFAULT;
	return ph->p_flags & PF_X ? EXSTACK_ENABLE_X : EXSTACK_DISABLE_X;
}

static void set_layout(const struct elf_image *prog, const struct elf_layout *l, bool has_interp)
{
	struct mm_struct *mm = current->mm;

	mm->start_code = l->start_code;
	mm->end_code = l->end_code;
	mm->start_data = l->start_data;
	mm->end_data = l->end_data;
	mm->start_brk = mm->brk = PAGE_ALIGN(l->end_mem);
	if (layout_is_random()) {
		/* A static PIE lies among the mappings, where a heap has no room to grow. */
		if (prog->hdr.e_type == ET_DYN && !has_interp)
			mm->brk = mm->start_brk = ELF_ET_DYN_BASE;
		mm->brk = mm->start_brk = arch_randomize_brk(mm);
	}
}

/* Behind the point of no return: the new address space is current's and has only the argument pages. */
static int load_program(struct linux_binprm *bprm, const struct elf_image *prog, const struct elf_image *interp)
{
	struct elf_layout l, il = { 0 };
	unsigned long entry, start;
	bool has_interp = interp->file != NULL;
	int err;

	arch_set_personality(is_32bit(prog));
	setup_new_exec(bprm);
	err = setup_arg_pages(bprm, stack_top(), executable_stack(prog));
	if (err)
		return err;
	err = map_image(prog, pie_base(prog, has_interp), MAP_FIXED_NOREPLACE, &l);
	if (err)
		return err;
	start = entry = prog->hdr.e_entry + l.bias;
	if (has_interp) {
		err = map_image(interp, 0, MAP_FIXED_NOREPLACE, &il);
		if (err)
			return err;
		start = interp->hdr.e_entry + il.bias;
	}
	if (BAD_ADDR(start))
		return -EINVAL;
	set_layout(prog, &l, has_interp);
	err = arch_setup_additional_pages(bprm, has_interp);
	if (err)
		return err;
	err = create_tables(bprm, prog, &l, il.bias, entry);
	if (err)
		return err;
	if (current->personality & MMAP_PAGE_ZERO)
		vm_mmap(NULL, 0, PAGE_SIZE, PROT_READ | PROT_EXEC, MAP_FIXED | MAP_PRIVATE, 0);
	finalize_exec(bprm);
	if (is_32bit(prog))
		start_thread_ia32(current_pt_regs(), start, bprm->p);
	else
		start_thread(current_pt_regs(), start, bprm->p);
	return 0;
}

static int load_elf_binary(struct linux_binprm *bprm)
{
	struct elf_image prog = { .file = bprm->file }, interp = { .file = NULL };
	int err;

	if (!take_header(&prog, bprm->buf))
		return -ENOEXEC;
	err = load_phdrs(&prog);
	if (err)
		return err;
	err = open_interpreter(bprm, &prog, &interp);
	if (!err)
		err = begin_new_exec(bprm);
	if (!err)
		err = load_program(bprm, &prog, &interp);
	close_interpreter(&interp);
	kfree(prog.phdrs);
	return err;
}

static struct linux_binfmt elf_format = { .name = "elf", .load_binary = load_elf_binary };

static int __init init_elf_binfmt(void)
{
	register_binfmt(&elf_format);
	return 0;
}
core_initcall(init_elf_binfmt);
