/*
 * elf_core.c: the format of core files: ELF with one note segment and one load segment for each area of memory.
 *
 *      ELF header | program headers | notes | up to a page | memory of area 1 | memory of area 2 | ...
 *
 * Notes:   for each thread, the one that died first: NT_PRSTATUS (registers), NT_PRFPREG, NT_X86_XSTATE; once, behind the
 *          first thread's NT_PRSTATUS: NT_PRPSINFO (name, arguments), NT_SIGINFO, NT_AUXV, NT_FILE (what is mapped where).
 * Idea:    areas are written down first, with how much of each is to be saved (core(5), coredump_filter), because the
 *          headers say it before the memory comes; what has gone or never was there by then becomes zeros.
 * Locking: mmap_lock while the areas are written down and for each page.  The threads stand still (coredump.c).
 * See:     elf(5); uapi/elf.h; arch/x86/kernel/ptrace.c for the registers
 */
#include <weft/coredump.h>
#include <weft/cred.h>
#include <weft/dcache.h>
#include <weft/elf.h>
#include <weft/err.h>
#include <weft/fs.h>
#include <weft/kernel.h>
#include <weft/mm.h>
#include <weft/ptrace.h>
#include <weft/rcu.h>
#include <weft/sched.h>
#include <weft/signal.h>
#include <weft/slab.h>
#include <weft/string.h>
#include <weft/time64.h>
#include <asm/fpu.h>
#include "coredump.h"
#include "internal.h"

#define NT_SIGINFO	0x53494749
#define NT_FILE		0x46494c45
#define FILE_NOTE_FIRST	(16 * 1024)		/* bytes; doubled until it holds them all */
#define FILE_NOTE_MAX	(4 * 1024 * 1024)

struct elf_prstatus {
	int		si_signo, si_code, si_errno;
	short		cursig;
	unsigned long	sigpend, sighold;
	int		pid, ppid, pgrp, sid;
	struct { long sec, usec; } utime, stime, cutime, cstime;
	struct user_regs_struct regs;
	int		fpvalid;
};
static_assert(sizeof(struct elf_prstatus) == 336);

struct elf_prpsinfo {
	char		state, sname, zomb, nice;
	unsigned long	flag;
	unsigned int	uid, gid;
	int		pid, ppid, pgrp, sid;
	char		fname[16], psargs[80];
};
static_assert(sizeof(struct elf_prpsinfo) == 136);

/* An area as it was when the dump began, and how much of it, from its start, is saved. */
struct core_area {
	unsigned long	start, end, flags, size;
};

struct elf_core {
	struct core_area	*areas;
	int			nr_areas;
	char			*notes;
	size_t			len, cap;	/* of notes, bytes */
};

/* ---- the areas ---- */

static bool dumps(const struct mm_struct *mm, int bit)
{
	return READ_ONCE(mm->flags) & (1UL << bit);
}

/* How many bytes of it to save. */
static unsigned long dumped_size(const struct vm_area_struct *vma)
{
	const struct mm_struct *mm = vma->vm_mm;
	unsigned long whole = vma->vm_end - vma->vm_start;

	if (vma->vm_flags & (VM_IO | VM_PFNMAP | VM_DONTDUMP))
		return 0;
	if (vma->vm_flags & VM_SHARED) {
		bool named = vma->vm_file && file_inode(vma->vm_file)->i_nlink;

		return dumps(mm, named ? MMF_DUMP_MAPPED_SHARED : MMF_DUMP_ANON_SHARED) ? whole : 0;
	}
	if (!vma_is_anonymous(vma) && !vma->vm_file)
		return whole;			/* the vDSO: debuggers step through it */
	if (vma->vm_has_anon && dumps(mm, MMF_DUMP_ANON_PRIVATE))
		return whole;
	if (!vma->vm_file)
		return 0;			/* never touched */
	if (dumps(mm, MMF_DUMP_MAPPED_PRIVATE))
		return whole;
	/* The first page of a program or library: in its headers is the build id, by which debuggers know it. */
	return dumps(mm, MMF_DUMP_ELF_HEADERS) && !vma->vm_pgoff && (vma->vm_flags & VM_READ) ? PAGE_SIZE : 0;
}

static bool collect_areas(struct elf_core *c, struct mm_struct *mm)
{
	struct vm_area_struct *vma;

	if (mmap_read_lock_killable(mm))
		return false;
	c->areas = kvmalloc_array((size_t)mm->map_count, sizeof(*c->areas), GFP_KERNEL);
	if (c->areas) {
		for_each_vma_of(mm, vma) {
			c->areas[c->nr_areas++] = (struct core_area){
				.start = vma->vm_start, .end = vma->vm_end, .flags = vma->vm_flags,
				.size = dumped_size(vma),
			};
		}
	}
	mmap_read_unlock(mm);
	return c->areas && c->nr_areas + 1 < PN_XNUM;
}

/* ---- the notes ---- */

static bool add_note(struct elf_core *c, const char *name, unsigned int type, const void *data, size_t len)
{
	Elf64_Nhdr head = { .n_namesz = (u32)strlen(name) + 1, .n_descsz = (u32)len, .n_type = type };
	size_t name_room = round_up(head.n_namesz, 4), need = sizeof(head) + name_room + round_up(len, 4);
	char *at;

	if (c->len + need > c->cap) {
		size_t cap = max(2 * c->cap, c->len + need);
		char *more = kvzalloc(cap, GFP_KERNEL);

		if (!more)
			return false;
		if (c->notes)
			memcpy(more, c->notes, c->len);
		kvfree(c->notes);
		c->notes = more;
		c->cap = cap;
	}
	at = c->notes + c->len;			/* zeros, which is what padding must be */
	memcpy(at, &head, sizeof(head));
	memcpy(at + sizeof(head), name, head.n_namesz);
	memcpy(at + sizeof(head) + name_room, data, len);
	c->len += need;
	return true;
}

static void fill_times(struct elf_prstatus *st, struct task_struct *t)
{
	struct signal_struct *sig = t->signal;
	u64 ut, st_ns;

	if (thread_group_leader(t))
		thread_group_cputime_adjusted(t, &ut, &st_ns);
	else
		task_cputime_adjusted(t, &ut, &st_ns);
	st->utime.sec = (long)(ut / NSEC_PER_SEC);
	st->utime.usec = (long)(ut % NSEC_PER_SEC / NSEC_PER_USEC);
	st->stime.sec = (long)(st_ns / NSEC_PER_SEC);
	st->stime.usec = (long)(st_ns % NSEC_PER_SEC / NSEC_PER_USEC);
	st->cutime.sec = (long)(sig->cutime / NSEC_PER_SEC);
	st->cutime.usec = (long)(sig->cutime % NSEC_PER_SEC / NSEC_PER_USEC);
	st->cstime.sec = (long)(sig->cstime / NSEC_PER_SEC);
	st->cstime.usec = (long)(sig->cstime % NSEC_PER_SEC / NSEC_PER_USEC);
}

static pid_t parent_of(struct task_struct *t)
{
	pid_t pid;

	rcu_read_lock();
	pid = task_tgid_vnr(rcu_dereference(t->real_parent));
	rcu_read_unlock();
	return pid;
}

static bool add_status(struct elf_core *c, struct task_struct *t, const kernel_siginfo_t *info)
{
	struct elf_prstatus st = {
		.si_signo = info->si_signo, .si_code = info->si_code, .si_errno = info->si_errno,
		.cursig = (short)info->si_signo, .sigpend = t->pending.signal.sig[0], .sighold = t->blocked.sig[0],
		.pid = task_pid_vnr(t), .ppid = parent_of(t), .pgrp = task_pgrp_vnr(t), .sid = task_session_vnr(t),
		.fpvalid = 1,
	};

	fill_times(&st, t);
	get_user_regs(t, &st.regs);
	return add_note(c, "CORE", NT_PRSTATUS, &st, sizeof(st));
}

/* x: room for any thread's state. */
static bool add_fpu(struct elf_core *c, struct task_struct *t, struct xregs_state *x)
{
	fpu_get_state(t, x);
	if (!add_note(c, "CORE", NT_PRFPREG, x, sizeof(struct fxregs_state)))
		return false;
	return fpu_user_xstate_size <= sizeof(struct fxregs_state) ||
	       add_note(c, "LINUX", NT_X86_XSTATE, x, fpu_user_xstate_size);
}

static bool add_psinfo(struct elf_core *c, struct mm_struct *mm)
{
	struct elf_prpsinfo ps = {
		.sname = 'R', .nice = (char)task_nice(current), .flag = current->flags,
		.uid = from_kuid_munged(current_user_ns(), current_uid()),
		.gid = from_kgid_munged(current_user_ns(), current_gid()), .pid = task_tgid_vnr(current),
		.ppid = parent_of(current),
		.pgrp = task_pgrp_vnr(current), .sid = task_session_vnr(current),
	};
	int len = (int)min(mm->arg_end - mm->arg_start, sizeof(ps.psargs) - 1);

	get_task_comm(ps.fname, current);
	len = access_remote_vm(mm, mm->arg_start, ps.psargs, len, FOLL_FORCE);
	for (int i = 0; i < len; i++)
		if (!ps.psargs[i])
			ps.psargs[i] = ' ';
	return add_note(c, "CORE", NT_PRPSINFO, &ps, sizeof(ps));
}

static bool add_siginfo(struct elf_core *c, const kernel_siginfo_t *info)
{
	siginfo_t user = { 0 };

	memcpy(&user, info, sizeof(*info));
	return add_note(c, "CORE", NT_SIGINFO, &user, sizeof(user));
}

static bool add_auxv(struct elf_core *c, struct mm_struct *mm)
{
	size_t words = 0;

	do {
		words += 2;
	} while (mm->saved_auxv[words - 2] && words + 2 <= ARRAY_SIZE(mm->saved_auxv));
	return add_note(c, "CORE", NT_AUXV, mm->saved_auxv, words * sizeof(mm->saved_auxv[0]));
}

/*
 * The note's body: count, page size; start, end, offset in pages of each area with a file; their names.  Returns its
 * length, 0 if it is longer than room.  mmap_lock held.  path: PATH_MAX bytes to work in.
 */
static size_t list_files(struct mm_struct *mm, long *body, size_t room, char *path)
{
	size_t at = (2 + 3 * (size_t)mm->map_count) * sizeof(long), n = 0;
	struct vm_area_struct *vma;
	char *names = (char *)body;

	for_each_vma_of(mm, vma) {
		const char *name = vma->vm_file ? d_path(&vma->vm_file->f_path, path, PATH_MAX) : NULL;
		size_t len = IS_ERR_OR_NULL(name) ? 0 : strlen(name) + 1;

		if (!len)
			continue;
		if (at + len > room)
			return 0;
		body[2 + 3 * n] = (long)vma->vm_start;
		body[3 + 3 * n] = (long)vma->vm_end;
		body[4 + 3 * n] = (long)vma->vm_pgoff;
		memcpy(names + at, name, len);
		at += len;
		n++;
	}
	body[0] = (long)n;
	body[1] = PAGE_SIZE;
	/* Room was left for all areas: the names move up to those that are files. */
	at -= (2 + 3 * (size_t)mm->map_count) * sizeof(long);
	memmove(body + 2 + 3 * n, names + (2 + 3 * (size_t)mm->map_count) * sizeof(long), at);
	return (2 + 3 * n) * sizeof(long) + at;
}

/* A process with names beyond all measure goes without this note. */
static bool add_files(struct elf_core *c, struct mm_struct *mm)
{
	char *path = kmalloc(PATH_MAX, GFP_KERNEL);
	bool ok = path != NULL;
	size_t len = 0;

	for (size_t room = FILE_NOTE_FIRST; ok && !len && room <= FILE_NOTE_MAX; room *= 2) {
		long *body = kvmalloc(room, GFP_KERNEL);

		ok = body && !mmap_read_lock_killable(mm);
		if (ok) {
			if ((2 + 3 * (size_t)mm->map_count) * sizeof(long) < room)
				len = list_files(mm, body, room, path);
			mmap_read_unlock(mm);
		}
		if (len)
			ok = add_note(c, "CORE", NT_FILE, body, len);
		kvfree(body);
	}
	kfree(path);
	return ok;
}

static bool make_notes(struct elf_core *c, struct core_dump *d, struct mm_struct *mm)
{
	struct xregs_state *x = kzalloc(max((size_t)fpu_user_xstate_size, sizeof(struct xregs_state)), GFP_KERNEL);
	bool ok = x && add_status(c, current, d->info) && add_psinfo(c, mm) && add_siginfo(c, d->info) &&
		  add_auxv(c, mm) && add_files(c, mm) && add_fpu(c, current, x);

	for (struct core_thread *t = d->threads->next; ok && t; t = t->next)
		ok = add_status(c, t->task, d->info) && add_fpu(c, t->task, x);
	kfree(x);
	return ok;
}

/* ---- writing ---- */

static bool put_headers(struct core_dump *d, const struct elf_core *c)
{
	size_t notes = sizeof(Elf64_Ehdr) + ((size_t)c->nr_areas + 1) * sizeof(Elf64_Phdr);
	unsigned long at = PAGE_ALIGN(notes + c->len);
	Elf64_Ehdr e = {
		.e_ident = ELFMAG "\2\1\1",		/* 64 bits, little endian, version 1 */
		.e_type = ET_CORE, .e_machine = EM_X86_64, .e_version = 1, .e_phoff = sizeof(e), .e_ehsize = sizeof(e),
		.e_phentsize = sizeof(Elf64_Phdr), .e_phnum = (u16)(c->nr_areas + 1),
	};
	Elf64_Phdr ph = { .p_type = PT_NOTE, .p_offset = notes, .p_filesz = c->len, .p_align = 4 };

	if (!dump_emit(d, &e, sizeof(e)) || !dump_emit(d, &ph, sizeof(ph)))
		return false;
	for (int i = 0; i < c->nr_areas; i++) {
		const struct core_area *a = &c->areas[i];

		ph = (Elf64_Phdr){
			.p_type = PT_LOAD, .p_offset = at, .p_vaddr = a->start, .p_filesz = a->size,
			.p_memsz = a->end - a->start, .p_align = PAGE_SIZE,
			.p_flags = (a->flags & VM_READ ? PF_R : 0) | (a->flags & VM_WRITE ? PF_W : 0) |
				   (a->flags & VM_EXEC ? PF_X : 0),
		};
		if (!dump_emit(d, &ph, sizeof(ph)))
			return false;
		at += a->size;
	}
	if (!dump_emit(d, c->notes, c->len))
		return false;
	dump_skip(d, PAGE_ALIGN(notes + c->len) - (notes + c->len));
	return true;
}

static bool put_area(struct core_dump *d, struct mm_struct *mm, const struct core_area *a, char *page)
{
	for (unsigned long addr = a->start; addr < a->start + a->size; addr += PAGE_SIZE) {
		if (fatal_signal_pending(current))
			return false;
		if (access_remote_vm(mm, addr, page, PAGE_SIZE, FOLL_FORCE | FOLL_DUMP) != PAGE_SIZE ||
		    !memchr_inv(page, 0, PAGE_SIZE))
			dump_skip(d, PAGE_SIZE);
		else if (!dump_emit(d, page, PAGE_SIZE))
			return false;
		cond_resched();
	}
	return true;
}

static void put_all(struct core_dump *d, const struct elf_core *c, struct mm_struct *mm, char *page)
{
	bool ok = put_headers(d, c);

	for (int i = 0; ok && i < c->nr_areas; i++)
		ok = put_area(d, mm, &c->areas[i], page);
}

bool elf_core_dump(struct core_dump *d)
{
	struct mm_struct *mm = current->mm;
	struct elf_core c = { .nr_areas = 0 };
	char *page = (char *)__get_free_page(GFP_KERNEL);
	bool ok = page && collect_areas(&c, mm) && make_notes(&c, d, mm);

	if (ok)
		put_all(d, &c, mm, page);
	free_page((unsigned long)page);
	kvfree(c.notes);
	kvfree(c.areas);
	return ok;
}
