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
 * See:     elf(5); uapi/elf.h; elf_core32.c; arch/x86/kernel/ptrace.c for the registers
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
#include "elf_core.h"
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

bool elf_core_add_note(struct elf_core *c, const char *name, unsigned int type, const void *data, size_t len)
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

static pid_t parent_of(struct task_struct *t)
{
	pid_t pid;

	rcu_read_lock();
	pid = task_tgid_vnr(rcu_dereference(t->real_parent));
	rcu_read_unlock();
	return pid;
}

static void split_time(u64 ns, u64 *sec, u64 *usec)
{
	*sec = ns / NSEC_PER_SEC;
	*usec = ns % NSEC_PER_SEC / NSEC_PER_USEC;
}

void elf_core_status(struct core_status *st, struct task_struct *t)
{
	struct signal_struct *sig = t->signal;
	u64 ut, st_ns;

	if (thread_group_leader(t))
		thread_group_cputime_adjusted(t, &ut, &st_ns);
	else
		task_cputime_adjusted(t, &ut, &st_ns);
	split_time(ut, &st->utime.sec, &st->utime.usec);
	split_time(st_ns, &st->stime.sec, &st->stime.usec);
	split_time(sig->cutime, &st->cutime.sec, &st->cutime.usec);
	split_time(sig->cstime, &st->cstime.sec, &st->cstime.usec);
	st->pid = task_pid_vnr(t);
	st->ppid = parent_of(t);
	st->pgrp = task_pgrp_vnr(t);
	st->sid = task_session_vnr(t);
}

static bool add_status(struct elf_core *c, struct task_struct *t, const kernel_siginfo_t *info)
{
	struct core_status s;
	struct elf_prstatus st;

	elf_core_status(&s, t);
	memset(&st, 0, sizeof(st));
	st = (struct elf_prstatus){
		.si_signo = info->si_signo, .si_code = info->si_code, .si_errno = info->si_errno,
		.cursig = (short)info->si_signo, .sigpend = t->pending.signal.sig[0], .sighold = t->blocked.sig[0],
		.pid = s.pid, .ppid = s.ppid, .pgrp = s.pgrp, .sid = s.sid,
		.utime = { (long)s.utime.sec, (long)s.utime.usec }, .stime = { (long)s.stime.sec, (long)s.stime.usec },
		.cutime = { (long)s.cutime.sec, (long)s.cutime.usec },
		.cstime = { (long)s.cstime.sec, (long)s.cstime.usec }, .fpvalid = 1,
	};
	get_user_regs(t, &st.regs);
	return elf_core_add_note(c, "CORE", NT_PRSTATUS, &st, sizeof(st));
}

static bool add_fpu(struct elf_core *c, struct task_struct *t, struct xregs_state *x)
{
	fpu_get_state(t, x);
	if (!elf_core_add_note(c, "CORE", NT_PRFPREG, x, sizeof(struct fxregs_state)))
		return false;
	return fpu_user_xstate_size <= sizeof(struct fxregs_state) ||
	       elf_core_add_note(c, "LINUX", NT_X86_XSTATE, x, fpu_user_xstate_size);
}

void elf_core_names(struct mm_struct *mm, char *fname, char *psargs)
{
	int len = (int)min(mm->arg_end - mm->arg_start, sizeof_field(struct elf_prpsinfo, psargs) - 1);

	get_task_comm(fname, current);
	len = access_remote_vm(mm, mm->arg_start, psargs, len, FOLL_FORCE);
	for (int i = 0; i < len; i++)
		if (!psargs[i])
			psargs[i] = ' ';
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

	elf_core_names(mm, ps.fname, ps.psargs);
	return elf_core_add_note(c, "CORE", NT_PRPSINFO, &ps, sizeof(ps));
}

static bool add_siginfo(struct elf_core *c, const kernel_siginfo_t *info)
{
	siginfo_t user = { 0 };

	memcpy(&user, info, sizeof(*info));
	return elf_core_add_note(c, "CORE", NT_SIGINFO, &user, sizeof(user));
}

static bool add_auxv(struct elf_core *c, struct mm_struct *mm)
{
	size_t words = 0;

	do {
		words += 2;
	} while (mm->saved_auxv[words - 2] && words + 2 <= ARRAY_SIZE(mm->saved_auxv));
	return elf_core_add_note(c, "CORE", NT_AUXV, mm->saved_auxv, words * sizeof(mm->saved_auxv[0]));
}

/* The n-th word of the note that lists files, which has 4 or 8 bytes. */
static void put_nth(void *body, size_t n, unsigned long value, size_t word)
{
	memcpy((char *)body + n * word, &value, word);
}

/*
 * The note's body: count, page size; start, end, offset in pages of each area with a file; their names.  Returns its
 * length, 0 if it is longer than room.  mmap_lock held.  path: PATH_MAX bytes to work in.
 */
static size_t list_files(struct mm_struct *mm, char *body, size_t room, char *path, size_t word)
{
	const size_t names = (2 + 3 * (size_t)mm->map_count) * word;	/* where they begin if all areas are files */
	size_t at = names, n = 0;
	struct vm_area_struct *vma;

	for_each_vma_of(mm, vma) {
		const char *name = vma->vm_file ? d_path(&vma->vm_file->f_path, path, PATH_MAX) : NULL;
		size_t len = IS_ERR_OR_NULL(name) ? 0 : strlen(name) + 1;

		if (!len)
			continue;
		if (at + len > room)
			return 0;
		put_nth(body, 2 + 3 * n, vma->vm_start, word);
		put_nth(body, 3 + 3 * n, vma->vm_end, word);
		put_nth(body, 4 + 3 * n, vma->vm_pgoff, word);
		memcpy(body + at, name, len);
		at += len;
		n++;
	}
	put_nth(body, 0, n, word);
	put_nth(body, 1, PAGE_SIZE, word);
	/* Room was left for all areas: the names move up to those that are files. */
	memmove(body + (2 + 3 * n) * word, body + names, at - names);
	return (2 + 3 * n) * word + at - names;
}

/* A process with names beyond all measure goes without this note. */
static bool add_files(struct elf_core *c, struct mm_struct *mm, size_t word)
{
	char *path = kmalloc(PATH_MAX, GFP_KERNEL);
	bool ok = path != NULL;
	size_t len = 0;

	for (size_t room = FILE_NOTE_FIRST; ok && !len && room <= FILE_NOTE_MAX; room *= 2) {
		char *body = kvmalloc(room, GFP_KERNEL);

		ok = body && !mmap_read_lock_killable(mm);
		if (ok) {
			if ((2 + 3 * (size_t)mm->map_count) * word < room)
				len = list_files(mm, body, room, path, word);
			mmap_read_unlock(mm);
		}
		if (len)
			ok = elf_core_add_note(c, "CORE", NT_FILE, body, len);
		kvfree(body);
	}
	kfree(path);
	return ok;
}

static bool make_notes(const struct core_format *f, struct elf_core *c, struct core_dump *d, struct mm_struct *mm)
{
	struct xregs_state *x = kzalloc(max((size_t)fpu_user_xstate_size, sizeof(struct xregs_state)), GFP_KERNEL);
	bool ok = x && f->add_status(c, current, d->info) && f->add_psinfo(c, mm) && f->add_siginfo(c, d->info) &&
		  f->add_auxv(c, mm) && add_files(c, mm, f->word) && f->add_fpu(c, current, x);

	for (struct core_thread *t = d->threads->next; ok && t; t = t->next)
		ok = f->add_status(c, t->task, d->info) && f->add_fpu(c, t->task, x);
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

static const struct core_format core_format64 = {
	.add_status = add_status, .add_psinfo = add_psinfo, .add_siginfo = add_siginfo, .add_auxv = add_auxv,
	.add_fpu = add_fpu, .put_headers = put_headers, .word = sizeof(unsigned long),
};

static void put_all(const struct core_format *f, struct core_dump *d, const struct elf_core *c, struct mm_struct *mm,
		    char *page)
{
	bool ok = f->put_headers(d, c);

	for (int i = 0; ok && i < c->nr_areas; i++)
		ok = put_area(d, mm, &c->areas[i], page);
}

bool elf_core_dump(struct core_dump *d)
{
	struct mm_struct *mm = current->mm;
	struct elf_core c = { .nr_areas = 0 };
	char *page = (char *)__get_free_page(GFP_KERNEL);
	const struct core_format *f = test_thread_flag(TIF_ADDR32) ? &core_format32 : &core_format64;
	bool ok = page && collect_areas(&c, mm) && make_notes(f, &c, d, mm);

	if (ok)
		put_all(f, d, &c, mm, page);
	free_page((unsigned long)page);
	kvfree(c.notes);
	kvfree(c.areas);
	return ok;
}
