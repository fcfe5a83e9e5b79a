/*
 * ptrace32.c: tracing of 32-bit programs (spec §8; man 2 ptrace), and what else only they see.
 *
 * Compiled for x86-64: a 64-bit tracer, whose tracee jumps into a 32-bit code segment.
 * Compiled for i386 (-m32): a 32-bit tracer of a 32-bit tracee, seccomp with a 32-bit program.
 */
#include "t.h"
#include <elf.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/procfs.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>

#ifndef NT_PRXFPREG
#define NT_PRXFPREG 0x46e62b7f
#endif
#ifndef NT_386_TLS
#define NT_386_TLS 0x200
#endif
#define GET_THREAD_AREA	25
#define SET_THREAD_AREA	26

struct regs32 { uint32_t bx, cx, dx, si, di, bp, ax, ds, es, fs, gs, orig_ax, ip, cs, flags, sp, ss; };
struct desc { uint32_t entry, base, limit, flags; };

static pid_t start(void (*fn)(void))
{
	pid_t pid = CHECK_OK(fork());

	if (!pid) {
		if (ptrace(PTRACE_TRACEME, 0, 0, 0))
			_exit(90);
		raise(SIGSTOP);
		fn();
		_exit(0);
	}
	int st = t_wait(pid);
	if (!WIFSTOPPED(st) || WSTOPSIG(st) != SIGSTOP)
		FAIL("status %#x", st);
	CHECK_OK(ptrace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESYSGOOD | 0x100000 /* EXITKILL */));
	return pid;
}

static int go(pid_t pid, int how)
{
	CHECK_OK(ptrace(how, pid, 0, 0));
	return t_wait(pid);
}

static void stopped_by(int st, int sig)
{
	if (!WIFSTOPPED(st) || WSTOPSIG(st) != sig)
		FAIL("status %#x, not a stop by %d", st, sig);
}

static size_t regset(pid_t pid, int how, long type, void *buf, size_t len)
{
	struct iovec iov = { buf, len };

	if (ptrace(how, pid, type, &iov))
		FAIL("regset %#lx: errno %d", type, errno);
	return iov.iov_len;
}

#ifdef __x86_64__

static uint8_t *code;		/* below 4 GiB */

static const uint8_t program[] = {
	0xb8, 20, 0, 0, 0,			/* mov $20, %eax: getpid */
	0xbb, 0x44, 0x33, 0x22, 0x91,		/* mov $0x91223344, %ebx */
	0xcd, 0x80,				/* int $0x80 */
	0xcc,					/* int3 */
	0xb8, 1, 0, 0, 0,			/* mov $1, %eax: exit(ebx) */
	0xcd, 0x80,
};

static void run32(void)
{
	static struct { uint32_t ip; uint16_t cs; } __attribute__((packed)) to;

	to.ip = (uint32_t)(uintptr_t)code;
	to.cs = 0x23;
	/* Not by lret: QEMU reads the stack with the kernel's rights then. */
	asm volatile("movl %1, %%esp; ljmpl *%0" : : "m" (to), "r" ((uint32_t)(uintptr_t)code + 4096) : "memory");
}

static pid_t start32(void)
{
	code = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	CHECK(code != MAP_FAILED);
	memcpy(code, program, sizeof(program));
	return start(run32);
}

TEST(syscall_info_of_int80)
{
	pid_t pid = start32();
	struct __ptrace_syscall_info { uint8_t op, pad[3]; uint32_t arch; uint64_t ip, sp, nr, args[6]; } info;

	stopped_by(go(pid, PTRACE_SYSCALL), SIGTRAP | 0x80);
	CHECK_OK(ptrace((enum __ptrace_request)0x420e, pid, sizeof(info), &info));
	CHECK_EQ(info.op, 1);
	CHECK_EQ(info.arch, AUDIT_ARCH_I386);
	CHECK_EQ(info.nr, 20);
	CHECK_EQ(info.args[0], 0x91223344u);
	CHECK_EQ(info.ip, (uintptr_t)code + 12);
	stopped_by(go(pid, PTRACE_SYSCALL), SIGTRAP | 0x80);
	stopped_by(go(pid, PTRACE_CONT), SIGTRAP);
	kill(pid, SIGKILL);
	t_wait(pid);
}

TEST(regsets_of_32_bit_code)
{
	pid_t pid = start32();
	char big[4096];
	struct regs32 r;
	uint32_t fp[27];
	struct user_regs_struct whole;

	stopped_by(go(pid, PTRACE_CONT), SIGTRAP);
	CHECK_EQ(regset(pid, PTRACE_GETREGSET, NT_PRSTATUS, big, sizeof(big)), sizeof(r));
	CHECK_EQ(regset(pid, PTRACE_GETREGSET, NT_PRSTATUS, &r, sizeof(r)), sizeof(r));
	CHECK_EQ(r.bx, 0x91223344u);
	CHECK_EQ(r.ax, pid);
	CHECK_EQ(r.cs, 0x23);
	CHECK_EQ(r.ip, (uintptr_t)code + 13);
	CHECK_EQ(r.sp, (uintptr_t)code + 4096);
	CHECK_EQ(regset(pid, PTRACE_GETREGSET, NT_PRFPREG, big, sizeof(big)), sizeof(fp));
	CHECK_EQ(regset(pid, PTRACE_GETREGSET, NT_PRXFPREG, big, sizeof(big)), 512);
	regset(pid, PTRACE_GETREGSET, NT_PRFPREG, fp, sizeof(fp));
	CHECK_EQ(fp[0] & 0xffff, 0x37f);
	CHECK_OK(ptrace(PTRACE_GETREGS, pid, 0, &whole));
	CHECK_EQ(whole.rbx, 0x91223344u);
	CHECK_EQ(whole.cs, 0x23);
	r.bx = 77;
	CHECK_EQ(regset(pid, PTRACE_SETREGSET, NT_PRSTATUS, &r, sizeof(r)), sizeof(r));
	int st = go(pid, PTRACE_CONT);
	CHECK(WIFEXITED(st));
	CHECK_EQ(WEXITSTATUS(st), 77);
}

TEST(regset_errors)
{
	pid_t pid = start32();
	struct regs32 r;
	struct iovec odd = { &r, 7 }, bad = { (void *)8, sizeof(r) }, unknown = { &r, sizeof(r) };

	stopped_by(go(pid, PTRACE_CONT), SIGTRAP);
	CHECK_ERR(ptrace(PTRACE_GETREGSET, pid, NT_PRSTATUS, &odd), EINVAL);
	CHECK_ERR(ptrace(PTRACE_GETREGSET, pid, NT_PRSTATUS, &bad), EFAULT);
	CHECK_ERR(ptrace(PTRACE_GETREGSET, pid, 0x12345, &unknown), EINVAL);
	CHECK_ERR(ptrace(PTRACE_GETREGSET, pid, NT_PRSTATUS, 8), EFAULT);
	regset(pid, PTRACE_GETREGSET, NT_PRSTATUS, &r, sizeof(r));
	r.cs = 0x10;			/* the kernel's */
	unknown.iov_len = sizeof(r);
	CHECK_ERR(ptrace(PTRACE_SETREGSET, pid, NT_PRSTATUS, &unknown), EIO);
	kill(pid, SIGKILL);
	t_wait(pid);
}

TEST(thread_areas)
{
	pid_t pid = start32();
	struct desc d = { .entry = 12, .base = 0x12345000, .limit = 0xfffff, .flags = 0x51 }, got[3];

	stopped_by(go(pid, PTRACE_CONT), SIGTRAP);
	CHECK_ERR(ptrace((enum __ptrace_request)GET_THREAD_AREA, pid, -1, got), EIO);
	CHECK_ERR(ptrace((enum __ptrace_request)GET_THREAD_AREA, pid, 11, got), EINVAL);
	CHECK_ERR(ptrace((enum __ptrace_request)GET_THREAD_AREA, pid, 15, got), EINVAL);
	CHECK_ERR(ptrace((enum __ptrace_request)SET_THREAD_AREA, pid, 12, 8), EFAULT);
	CHECK_OK(ptrace((enum __ptrace_request)SET_THREAD_AREA, pid, 12, &d));
	CHECK_OK(ptrace((enum __ptrace_request)GET_THREAD_AREA, pid, 12, got));
	CHECK_EQ(got[0].base, d.base);
	CHECK_EQ(got[0].limit, d.limit);
	CHECK_EQ(got[0].flags & 0x7f, d.flags);
	CHECK_EQ(regset(pid, PTRACE_GETREGSET, NT_386_TLS, got, sizeof(got)), sizeof(got));
	CHECK_EQ(got[0].entry, 12);
	CHECK_EQ(got[0].base, d.base);
	CHECK_EQ(got[2].base, 0);
	kill(pid, SIGKILL);
	t_wait(pid);
}

#else	/* a 32-bit tracer */

static volatile long word = 0x11223344;

static void exit_with_word(void) { _exit(word == 42 ? 7 : 8); }
static void call_getpid(void) { syscall(SYS_getpid, 0x55667788, 2, 3); asm volatile("int3"); }

TEST(peek_and_poke)
{
	pid_t pid = start(exit_with_word);
	unsigned long message = 7;

	errno = 0;
	CHECK_EQ(ptrace(PTRACE_PEEKDATA, pid, &word, 0), 0x11223344);
	CHECK_ERR(ptrace(PTRACE_PEEKDATA, pid, 8, 0), EIO);
	CHECK_OK(ptrace(PTRACE_GETEVENTMSG, pid, 0, &message));
	CHECK_EQ(message, 0);
	CHECK_OK(ptrace(PTRACE_POKEDATA, pid, &word, 42));
	int st = go(pid, PTRACE_CONT);
	CHECK_EQ(WEXITSTATUS(st), 7);
}

TEST(registers)
{
	pid_t pid = start(call_getpid);
	struct user_regs_struct r;
	struct user_fpregs_struct fp;
	struct user_fpxregs_struct fx;
	siginfo_t si;

	stopped_by(go(pid, PTRACE_SYSCALL), SIGTRAP | 0x80);
	CHECK_OK(ptrace(PTRACE_GETREGS, pid, 0, &r));
	CHECK_EQ(r.orig_eax, SYS_getpid);
	CHECK_EQ(r.eax, -ENOSYS);
	CHECK_EQ(r.ebx, 0x55667788);
	CHECK_EQ(ptrace(PTRACE_PEEKUSER, pid, offsetof(struct user, regs.orig_eax), 0), SYS_getpid);
	CHECK_EQ(ptrace(PTRACE_PEEKUSER, pid, 0, 0), 0x55667788);
	CHECK_ERR(ptrace(PTRACE_PEEKUSER, pid, 2, 0), EIO);
	CHECK_ERR(ptrace(PTRACE_PEEKUSER, pid, 4000, 0), EIO);
	/* Another call: getppid. */
	CHECK_OK(ptrace(PTRACE_POKEUSER, pid, offsetof(struct user, regs.orig_eax), SYS_getppid));
	stopped_by(go(pid, PTRACE_SYSCALL), SIGTRAP | 0x80);
	CHECK_OK(ptrace(PTRACE_GETREGS, pid, 0, &r));
	CHECK_EQ(r.eax, getpid());
	stopped_by(go(pid, PTRACE_CONT), SIGTRAP);
	CHECK_OK(ptrace(PTRACE_GETSIGINFO, pid, 0, &si));
	CHECK_EQ(si.si_signo, SIGTRAP);
	CHECK_OK(ptrace(PTRACE_GETFPREGS, pid, 0, &fp));
	CHECK_EQ(fp.cwd & 0xffff, 0x37f);
	CHECK_OK(ptrace(PTRACE_GETFPXREGS, pid, 0, &fx));
	CHECK_EQ(fx.cwd, 0x37f);
	fx.cwd = 0x27f;
	CHECK_OK(ptrace(PTRACE_SETFPXREGS, pid, 0, &fx));
	CHECK_OK(ptrace(PTRACE_GETFPREGS, pid, 0, &fp));
	CHECK_EQ(fp.cwd & 0xffff, 0x27f);
	CHECK_EQ(regset(pid, PTRACE_GETREGSET, NT_PRSTATUS, &r, sizeof(r)), sizeof(r));
	CHECK_ERR(ptrace(PTRACE_POKEUSER, pid, offsetof(struct user, regs.xcs), 0x10), EIO);
	kill(pid, SIGKILL);
	t_wait(pid);
}

static void spin(void) { for (;;) word++; }
TEST(watch_point)
{
	pid_t pid = start(spin);
	int dr = offsetof(struct user, u_debugreg);

	CHECK_OK(ptrace(PTRACE_POKEUSER, pid, dr, &word));
	CHECK_OK(ptrace(PTRACE_POKEUSER, pid, dr + 7 * 4, 0xd0001));	/* 4 bytes, written */
	CHECK_EQ(ptrace(PTRACE_PEEKUSER, pid, dr, 0), (long)&word);
	stopped_by(go(pid, PTRACE_CONT), SIGTRAP);
	CHECK_EQ(ptrace(PTRACE_PEEKUSER, pid, dr + 6 * 4, 0) & 1, 1);
	kill(pid, SIGKILL);
	t_wait(pid);
}

TEST(thread_area_of_a_tracee)
{
	pid_t pid = start(exit_with_word);
	struct user_regs_struct r;
	struct desc d;

	CHECK_OK(ptrace(PTRACE_GETREGS, pid, 0, &r));
	CHECK_OK(ptrace((enum __ptrace_request)GET_THREAD_AREA, pid, r.xgs >> 3, &d));
	CHECK_EQ(d.entry, r.xgs >> 3);
	unsigned int base;
	asm("movl %%gs:0, %0" : "=r" (base));	/* i386's thread pointer points to itself; the child's lies where ours does */
	CHECK_EQ(d.base, base);
	kill(pid, SIGKILL);
	t_wait(pid);
}

/* Interrupted by an attach, the call goes on, though the tracer writes all registers back. */
TEST(registers_written_back_in_a_restarted_call)
{
	struct user_regs_struct r;
	int p[2];
	char c;

	CHECK_OK(pipe(p));
	pid_t pid = CHECK_OK(fork());
	if (!pid)
		_exit(read(p[0], &c, 1) == 1 ? 9 : 10);
	char path[40], state = 0;
	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	while (state != 'S') {
		FILE *f = fopen(path, "r");
		CHECK(f && fscanf(f, "%*d (%*[^)]) %c", &state) == 1);
		fclose(f);
		usleep(1000);
	}
	CHECK_OK(ptrace(PTRACE_ATTACH, pid, 0, 0));
	stopped_by(t_wait(pid), SIGSTOP);
	CHECK_OK(ptrace(PTRACE_GETREGS, pid, 0, &r));
	CHECK_OK(ptrace(PTRACE_SETREGS, pid, 0, &r));
	CHECK_OK(ptrace(PTRACE_DETACH, pid, 0, 0));
	CHECK_EQ(write(p[1], "x", 1), 1);
	CHECK_EQ(WEXITSTATUS(t_wait(pid)), 9);
}

static int filter(struct sock_filter *insns, int n)
{
	struct sock_fprog prog = { n, insns };

	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog);
}

TEST(seccomp_filter)
{
	struct sock_filter errno_for_getppid[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_I386, 0, 2),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 33),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	uint32_t action = SECCOMP_RET_ERRNO;

	CHECK_OK(syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action));
	CHECK_ERR(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, 8), EFAULT);
	CHECK_OK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	CHECK_ERR(filter(errno_for_getppid, 0), EINVAL);
	CHECK_OK(filter(errno_for_getppid, 6));
	CHECK_ERR(syscall(SYS_getppid), 33);
	CHECK(getpid() > 0);
	/* The same through prctl(). */
	struct sock_fprog prog = { 6, errno_for_getppid };
	CHECK_OK(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog));
}

/* The calls of System V objects by numbers of their own, which C libraries of i386 do not use yet. */
TEST(direct_sysv_calls)
{
	struct { long type; char text[8]; } m = { 5, "hello" };
	char ds[128];
	int sem = CHECK_OK(syscall(393, 0, 2, 0600)), msg = CHECK_OK(syscall(399, 0, 0600));
	int shm = CHECK_OK(syscall(395, 0, 4096, 0600));

	CHECK_OK(syscall(394, sem, 0, 16 /* SETVAL */, 3));
	CHECK_EQ(syscall(394, sem, 0, 12 /* GETVAL */, 0), 3);
	CHECK_OK(syscall(394, sem, 0, 2 /* IPC_STAT */, ds));
	CHECK_EQ(*(uint32_t *)(ds + 52), 2);		/* sem_nsems */
	CHECK_ERR(syscall(394, sem, 0, 2, 8), EFAULT);
	CHECK_OK(syscall(400, msg, &m, 6, 0));
	m.type = 0;
	CHECK_EQ(syscall(401, msg, &m, 6, -5, 04000), 6);
	CHECK_EQ(m.type, 5);
	CHECK_ERR(syscall(401, msg, &m, -1, 0, 04000), EINVAL);
	CHECK_OK(syscall(402, msg, 2, ds));
	CHECK_EQ(*(uint32_t *)(ds + 68), 16384);	/* msg_qbytes */
	char *at = (char *)syscall(397, shm, 0, 0);
	CHECK(at != (void *)-1);
	at[0] = 1;
	CHECK_OK(syscall(396, shm, 2, ds));
	CHECK_EQ(*(uint32_t *)(ds + 36), 4096);		/* shm_segsz */
	CHECK_OK(syscall(398, at));
	CHECK_OK(syscall(394, sem, 0, 0, 0));
	CHECK_OK(syscall(402, msg, 0, 0));
	CHECK_OK(syscall(396, shm, 0, 0));
}

TEST(ipc_errors)
{
	CHECK_ERR(syscall(SYS_ipc, 99, 0, 0, 0, 0, 0), ENOSYS);
	CHECK_ERR(syscall(SYS_ipc, 3, 0, 0, 0x102, 0, 0), EINVAL);
	CHECK_ERR(syscall(SYS_ipc, 3, 0, 0, 0x102, 8, 0), EFAULT);
	CHECK_ERR(syscall(SYS_ipc, 12, 0, 0, 0, 0, 0), EINVAL);
	CHECK_ERR(syscall(SYS_ipc, 21 | 1 << 16, 0, 0, 0, 0, 0), EINVAL);
}

/* ---- core files ---- */

/* The note of the type in the core file's image: its body, and its length; NULL. */
static void *note(char *image, unsigned int type, size_t *len)
{
	Elf32_Phdr *ph = (Elf32_Phdr *)(image + ((Elf32_Ehdr *)image)->e_phoff);
	char *p = image + ph->p_offset, *end = p + ph->p_filesz;

	CHECK_EQ(ph->p_type, PT_NOTE);
	while (p < end) {
		Elf32_Nhdr *h = (Elf32_Nhdr *)p;
		char *body = p + sizeof(*h) + (h->n_namesz + 3) / 4 * 4;

		if (h->n_type == type) {
			*len = h->n_descsz;
			return body;
		}
		p = body + (h->n_descsz + 3) / 4 * 4;
	}
	return NULL;
}

TEST(core_file_is_elf32)
{
	struct rlimit rl = { RLIM_INFINITY, RLIM_INFINITY };
	char pattern[20] = "", dir[] = "/tmp/core32.XXXXXX", *image;
	struct elf_prstatus *st;
	struct desc *areas;
	struct stat sb;
	uint32_t *files;
	size_t len;
	int fd = open("/proc/sys/kernel/core_pattern", O_RDONLY);

	CHECK(read(fd, pattern, sizeof(pattern) - 1) > 0);
	if (strcmp(pattern, "core\n") || setrlimit(RLIMIT_CORE, &rl))
		SKIP("no file called core here");
	CHECK(mkdtemp(dir));
	CHECK_OK(chdir(dir));
	pid_t pid = CHECK_OK(fork());
	if (!pid) {
		asm volatile("mov $0x7777, %%esi; movl $1, 0x10" : : : "esi", "memory");
		_exit(0);
	}
	CHECK(WCOREDUMP(t_wait(pid)));
	fd = CHECK_OK(open("core", O_RDONLY));
	CHECK_OK(fstat(fd, &sb));
	image = mmap(NULL, sb.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	CHECK(image != MAP_FAILED);
	Elf32_Ehdr *e = (Elf32_Ehdr *)image;
	CHECK(e->e_ident[EI_CLASS] == ELFCLASS32 && e->e_machine == EM_386 && e->e_type == ET_CORE);
	CHECK_EQ(e->e_phentsize, sizeof(Elf32_Phdr));
	st = note(image, NT_PRSTATUS, &len);
	CHECK_EQ(len, sizeof(*st));
	CHECK_EQ(st->pr_pid, pid);
	CHECK_EQ(st->pr_cursig, SIGSEGV);
	CHECK_EQ(((struct user_regs_struct *)&st->pr_reg)->esi, 0x7777);
	CHECK(note(image, NT_PRPSINFO, &len));
	CHECK_EQ(len, sizeof(struct elf_prpsinfo));
	siginfo_t *si = note(image, 0x53494749, &len);
	CHECK(si && si->si_signo == SIGSEGV && si->si_addr == (void *)0x10);
	CHECK(note(image, NT_PRFPREG, &len));
	CHECK_EQ(len, 108);
	CHECK(note(image, NT_PRXFPREG, &len));
	CHECK_EQ(len, 512);
	areas = note(image, NT_386_TLS, &len);
	CHECK(areas && len >= sizeof(*areas) && areas[0].base);
	uint32_t *auxv = note(image, NT_AUXV, &len);
	while (*auxv && *auxv != AT_PAGESZ)
		auxv += 2;
	CHECK_EQ(auxv[1], 4096);
	files = note(image, 0x46494c45, &len);
	CHECK(files && files[0] >= 1 && files[1] == 4096);
	Elf32_Phdr *ph = (Elf32_Phdr *)(image + e->e_phoff);
	bool saved = false;
	for (int i = 1; i < e->e_phnum; i++) {
		unsigned long at = (unsigned long)&word - ph[i].p_vaddr;

		CHECK(ph[i].p_offset + ph[i].p_filesz <= sb.st_size);
		if (at < ph[i].p_filesz)
			saved = *(long *)(image + ph[i].p_offset + at) == word;
	}
	CHECK(saved);
	unlink("core");
	chdir("/");
	rmdir(dir);
}

#endif
