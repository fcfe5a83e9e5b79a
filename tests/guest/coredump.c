/*
 * coredump.c: core files: what is in them, when there is none, what they are called, the program at the end of a pipe.
 *
 * The pattern of names belongs to the whole machine, so only a guest changes it (there is /proc/weft); on a host whose
 * pattern is not "core" the cases skip.
 */
#include "t.h"
#include <elf.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/procfs.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/user.h>

static long word = 0x1122334455667788;

/* ---- dying ---- */

static void set_limit(rlim_t soft)
{
	struct rlimit rl;

	CHECK_OK(getrlimit(RLIMIT_CORE, &rl));
	rl.rlim_cur = soft;
	if (rl.rlim_max < soft)
		rl.rlim_max = soft;
	if (setrlimit(RLIMIT_CORE, &rl))
		SKIP("no core files here");
}

static bool in_guest(void)
{
	return access("/proc/weft", F_OK) == 0;
}

static void write_file(const char *path, const char *text)
{
	int fd = CHECK_OK(open(path, O_WRONLY | O_TRUNC));

	CHECK_EQ(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static void check_pattern(const char *path, const char *wanted)
{
	char buf[200] = "";
	int fd = CHECK_OK(open(path, O_RDONLY));

	CHECK(read(fd, buf, sizeof(buf) - 1) > 0);
	close(fd);
	if (strncmp(buf, wanted, strlen(wanted)))
		SKIP("%s: %s", path, buf);
}

/* Into a new folder; core files are called "core" and may have any length. */
static void set_up(void)
{
	char dir[] = "/tmp/core.XXXXXX";

	check_pattern("/proc/sys/kernel/core_pattern", "core\n");
	check_pattern("/proc/sys/kernel/core_uses_pid", "0");
	set_limit(RLIM_INFINITY);
	CHECK(mkdtemp(dir));
	CHECK_OK(chdir(dir));
}

/* A child that runs fn and dies of it: its wait status. */
static int die_in(void (*fn)(void), pid_t *pid)
{
	*pid = CHECK_OK(fork());
	if (!*pid) {
		fn();
		_exit(0);
	}
	return t_wait(*pid);
}

static int *volatile nowhere = (int *)0x10;
static void bad_address(void) { *nowhere = 1; }

/* ---- reading the file ---- */

struct core {
	int		fd;
	Elf64_Ehdr	e;
	Elf64_Phdr	*ph;
	char		*notes;
};

static struct core read_core(const char *name)
{
	struct core c = { .fd = (int)CHECK_OK(open(name, O_RDONLY)) };
	struct stat st;

	CHECK_EQ(read(c.fd, &c.e, sizeof(c.e)), sizeof(c.e));
	CHECK(!memcmp(c.e.e_ident, ELFMAG, 4) && c.e.e_type == ET_CORE && c.e.e_machine == EM_X86_64);
	c.ph = malloc(c.e.e_phnum * sizeof(*c.ph));
	CHECK_EQ(pread(c.fd, c.ph, c.e.e_phnum * sizeof(*c.ph), c.e.e_phoff), c.e.e_phnum * sizeof(*c.ph));
	CHECK_EQ(c.ph[0].p_type, PT_NOTE);
	c.notes = malloc(c.ph[0].p_filesz);
	CHECK_EQ(pread(c.fd, c.notes, c.ph[0].p_filesz, c.ph[0].p_offset), c.ph[0].p_filesz);
	CHECK_OK(fstat(c.fd, &st));
	for (int i = 1; i < c.e.e_phnum; i++)
		CHECK((off_t)(c.ph[i].p_offset + c.ph[i].p_filesz) <= st.st_size);
	return c;
}

/* The n-th note of the type: its body, NULL if there are not so many. */
static void *note(struct core *c, unsigned type, int n)
{
	for (char *p = c->notes; p < c->notes + c->ph[0].p_filesz; ) {
		Elf64_Nhdr *h = (Elf64_Nhdr *)p;
		char *body = p + sizeof(*h) + (h->n_namesz + 3) / 4 * 4;

		if (h->n_type == type && !n--)
			return body;
		p = body + (h->n_descsz + 3) / 4 * 4;
	}
	return NULL;
}

static Elf64_Phdr *segment(struct core *c, const void *p)
{
	for (int i = 1; i < c->e.e_phnum; i++)
		if ((unsigned long)p - c->ph[i].p_vaddr < c->ph[i].p_memsz)
			return &c->ph[i];
	return NULL;
}

/* What was at p; 0 if the file does not say. */
static long long saved(struct core *c, const void *p)
{
	Elf64_Phdr *ph = segment(c, p);
	unsigned long at = ph ? (unsigned long)p - ph->p_vaddr : 0;
	long v = 0;

	if (!ph || at >= ph->p_filesz)
		return 0;
	CHECK_EQ(pread(c->fd, &v, sizeof(v), ph->p_offset + at), sizeof(v));
	return v;
}

/* ---- contents ---- */

static int ready;
static pid_t tids[3];
static pthread_barrier_t barrier;

/* Sleeps for ever with marks in r12 and xmm3. */
static void *sleeper(void *arg)
{
	long n = (long)arg, mark = 0xabc0 + n;

	tids[n] = gettid();
	__atomic_add_fetch(&ready, 1, __ATOMIC_SEQ_CST);
	asm volatile("mov %0, %%r12\n\tmovq %0, %%xmm3\n1:\tmov $34, %%eax\n\tsyscall\n\tjmp 1b"
		     : : "r" (mark) : "r12", "xmm3", "rax", "rcx", "r11", "memory");
	return NULL;
}

/* Two threads sleep, this one (the leader) waits for a third, which faults. */
static void *faulter(void *arg)
{
	while (__atomic_load_n(&ready, __ATOMIC_SEQ_CST) < 2)
		sched_yield();
	word++;
	asm volatile("mov $0x7777, %%rbx\n\tmovl $1, 0x10" : : : "rbx", "memory");
	return arg;
}

static void fault_in_a_thread(void)
{
	pthread_t t;

	for (long i = 0; i < 2; i++)
		pthread_create(&t, NULL, sleeper, (void *)i);
	pthread_create(&t, NULL, faulter, NULL);
	pthread_join(t, NULL);
}

TEST(threads_and_registers)
{
	struct elf_prstatus *st;
	siginfo_t *si;
	struct core c;
	int status, marks = 0;
	pid_t pid;

	set_up();
	status = die_in(fault_in_a_thread, &pid);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV && WCOREDUMP(status));
	c = read_core("core");
	st = note(&c, NT_PRSTATUS, 0);
	CHECK_EQ(((struct user_regs_struct *)&st->pr_reg)->rbx, 0x7777);
	CHECK_EQ(st->pr_cursig, SIGSEGV);
	CHECK(st->pr_pid != pid);
	CHECK_EQ(st->pr_ppid, getpid());
	for (int i = 0; i < 4; i++) {
		struct user_fpregs_struct *fp = note(&c, NT_PRFPREG, i);
		struct user_regs_struct *regs;

		st = note(&c, NT_PRSTATUS, i);
		CHECK(st && fp);
		regs = (struct user_regs_struct *)&st->pr_reg;
		if ((regs->r12 & ~1ul) == 0xabc0) {
			CHECK_EQ(((unsigned long *)fp->xmm_space)[6], regs->r12);
			marks++;
		}
	}
	CHECK_EQ(marks, 2);
	CHECK(!note(&c, NT_PRSTATUS, 4));
	si = note(&c, NT_SIGINFO, 0);
	CHECK(si && si->si_signo == SIGSEGV && si->si_addr == (void *)0x10 && si->si_code == SEGV_MAPERR);
	CHECK_EQ(saved(&c, &word), 0x1122334455667789);
}

TEST(process_notes)
{
	char exe[200] = "";
	struct core c;
	long *auxv, *files;
	char *names;
	pid_t pid;
	bool found = false, page = false;

	set_up();
	CHECK(WCOREDUMP(die_in(bad_address, &pid)));
	c = read_core("core");
	struct elf_prpsinfo *ps = note(&c, NT_PRPSINFO, 0);
	CHECK(ps && ps->pr_pid == pid && ps->pr_ppid == getpid() && ps->pr_sname == 'R');
	CHECK_STR(ps->pr_fname, "coredump");
	CHECK(strstr(ps->pr_psargs, "coredump"));
	auxv = note(&c, NT_AUXV, 0);
	CHECK(auxv);
	for (; auxv[0]; auxv += 2)
		page |= auxv[0] == AT_PAGESZ && auxv[1] == 4096;
	CHECK(page);
	files = note(&c, NT_FILE, 0);
	CHECK(files && files[0] >= 2 && files[1] == 4096);
	CHECK(readlink("/proc/self/exe", exe, sizeof(exe) - 1) > 0);
	names = (char *)(files + 2 + 3 * files[0]);
	for (long i = 0; i < files[0]; i++, names += strlen(names) + 1)
		if (files[2 + 3 * i] <= (long)&t_sleep_ms && (long)&t_sleep_ms < files[3 + 3 * i])
			found = !strcmp(names, exe);
	CHECK(found);
}

static char *private, *shared, *left_out, *untouched, *forbidden;

static void areas(void)
{
	private = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	shared = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	left_out = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	untouched = mmap(NULL, 1l << 40, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	forbidden = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	madvise(left_out, 8192, MADV_DONTDUMP);
	strcpy(private, "private");
	strcpy(shared + 4096, "shared!");
	strcpy(left_out, "leftout");
	strcpy(forbidden, "forbidd");
	mprotect(forbidden, 8192, PROT_NONE);
	mprotect(private, 8192, PROT_READ);
}

TEST(which_areas)
{
	struct core c;
	pid_t pid;

	set_up();
	areas();			/* so that both know where they are */
	CHECK(WCOREDUMP(die_in(bad_address, &pid)));
	c = read_core("core");
	CHECK_EQ(saved(&c, private), *(long *)private);
	CHECK_EQ(saved(&c, shared + 4096), *(long *)(shared + 4096));
	CHECK_EQ(saved(&c, forbidden), *(long *)"forbidd");
	CHECK_EQ(segment(&c, left_out)->p_filesz, 0);
	CHECK_EQ(segment(&c, untouched)->p_filesz, 0);
	CHECK_EQ(segment(&c, untouched)->p_memsz, 1l << 40);
	CHECK_EQ(segment(&c, private)->p_flags, PF_R);
	CHECK_EQ((int)saved(&c, (void *)0x400000), *(int *)ELFMAG);	/* of the program, its headers */
}

TEST(filter)
{
	char buf[20] = "";
	struct core c;
	pid_t pid;
	int fd;

	set_up();
	areas();
	fd = CHECK_OK(open("/proc/self/coredump_filter", O_RDWR));
	CHECK(read(fd, buf, sizeof(buf)) > 0);
	CHECK_STR(buf, "00000033\n");
	CHECK_EQ(pwrite(fd, "0x1\n", 4, 0), 4);		/* private anonymous only */
	CHECK_ERR(pwrite(fd, "yes", 3, 0), EINVAL);
	memset(buf, 0, sizeof(buf));
	CHECK_EQ(pread(fd, buf, sizeof(buf), 0), 9);
	CHECK_STR(buf, "00000001\n");
	CHECK(WCOREDUMP(die_in(bad_address, &pid)));
	c = read_core("core");
	CHECK_EQ(saved(&c, private), *(long *)private);
	CHECK_EQ(segment(&c, shared)->p_filesz, 0);
	CHECK_EQ(segment(&c, (void *)0x400000)->p_filesz, 0);
}

/* ---- when there is one ---- */

TEST(which_signals)
{
	static const int dump[] = { SIGQUIT, SIGILL, SIGABRT, SIGFPE, SIGSEGV, SIGBUS, SIGSYS, SIGTRAP, SIGXCPU, SIGXFSZ };
	const int none[] = { SIGTERM, SIGKILL, SIGHUP, SIGUSR1, SIGRTMIN };
	siginfo_t si;
	int status;
	pid_t pid;

	set_up();
	for (unsigned i = 0; i < sizeof(dump) / sizeof(dump[0]) + sizeof(none) / sizeof(none[0]); i++) {
		bool dumps = i < sizeof(dump) / sizeof(dump[0]);
		int sig = dumps ? dump[i] : none[i - sizeof(dump) / sizeof(dump[0])];

		pid = CHECK_OK(fork());
		if (!pid) {
			kill(getpid(), sig);
			for (;;)
				pause();
		}
		CHECK_OK(waitid(P_PID, pid, &si, WEXITED | WNOWAIT));
		CHECK_EQ(si.si_code, dumps ? CLD_DUMPED : CLD_KILLED);
		CHECK_EQ(si.si_status, sig);
		status = t_wait(pid);
		CHECK_EQ(WTERMSIG(status), sig);
		CHECK_EQ(!!WCOREDUMP(status), dumps);
		CHECK_EQ(unlink("core"), dumps ? 0 : -1);
	}
}

TEST(limits)
{
	struct stat st;
	int status;
	pid_t pid;

	set_up();
	set_limit(0);
	status = die_in(bad_address, &pid);
	CHECK(WTERMSIG(status) == SIGSEGV && !WCOREDUMP(status));
	CHECK_ERR(stat("core", &st), ENOENT);
	set_limit(20000);			/* cut off, and counts all the same */
	status = die_in(bad_address, &pid);
	CHECK(WTERMSIG(status) == SIGSEGV && WCOREDUMP(status));
	CHECK_OK(stat("core", &st));
	CHECK(st.st_blocks * 512 <= 24576);
}

static void undumpable(void)
{
	prctl(PR_SET_DUMPABLE, 0);
	bad_address();
}

TEST(not_dumpable)
{
	int status;
	pid_t pid;

	set_up();
	status = die_in(undumpable, &pid);
	CHECK(WTERMSIG(status) == SIGSEGV && !WCOREDUMP(status));
	CHECK_ERR(access("core", F_OK), ENOENT);
}

static void change_ids(void)
{
	if (setresuid(1000, 1000, 1000))
		_exit(0);
	bad_address();
}

TEST(who_changed_ids_leaves_none)
{
	int status;
	pid_t pid;

	if (geteuid())
		SKIP("not root");
	set_up();
	CHECK_OK(chmod(".", 0777));
	status = die_in(change_ids, &pid);
	CHECK(WTERMSIG(status) == SIGSEGV && !WCOREDUMP(status));
	CHECK_ERR(access("core", F_OK), ENOENT);
}

/* What is in its place is removed, never written to. */
TEST(not_through_links)
{
	struct stat st;
	char buf[8] = "";
	pid_t pid;
	int fd;

	set_up();
	fd = CHECK_OK(open("precious", O_RDWR | O_CREAT, 0644));
	CHECK_EQ(write(fd, "keep", 4), 4);
	CHECK_OK(link("precious", "core"));
	CHECK(WCOREDUMP(die_in(bad_address, &pid)));
	CHECK_OK(unlink("core"));
	CHECK_OK(symlink("precious", "core"));
	CHECK(WCOREDUMP(die_in(bad_address, &pid)));
	CHECK_OK(lstat("core", &st));
	CHECK(S_ISREG(st.st_mode) && (st.st_mode & 07777) == 0600);
	CHECK_EQ(pread(fd, buf, 8, 0), 4);
	CHECK_STR(buf, "keep");
	CHECK_OK(unlink("core"));
	CHECK_OK(mkdir("core", 0700));
	CHECK(!WCOREDUMP(die_in(bad_address, &pid)));
}

/* The tracer sees the signal, lets it through, and learns of the core as the parent would. */
TEST(of_a_traced_process)
{
	int status;
	pid_t pid;

	set_up();
	pid = CHECK_OK(fork());
	if (!pid) {
		ptrace(PTRACE_TRACEME, 0, 0, 0);
		bad_address();
	}
	status = t_wait(pid);
	CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSEGV);
	CHECK_OK(ptrace(PTRACE_CONT, pid, 0, SIGSEGV));
	status = t_wait(pid);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV && WCOREDUMP(status));
	CHECK_OK(access("core", F_OK));
}

/* All threads fault at the same time: one dumps, the others are dumped. */
static void *race(void *arg)
{
	pthread_barrier_wait(&barrier);
	bad_address();
	return arg;
}

static void eight_faults(void)
{
	pthread_t t;

	pthread_barrier_init(&barrier, NULL, 8);
	for (int i = 0; i < 7; i++)
		pthread_create(&t, NULL, race, NULL);
	race(NULL);
}

TEST(many_threads_fault)
{
	pid_t pid;

	set_up();
	for (int i = 0; i < 20; i++) {
		int status = die_in(eight_faults, &pid), n = 0;
		struct core c;

		CHECK(WTERMSIG(status) == SIGSEGV && WCOREDUMP(status));
		c = read_core("core");
		while (note(&c, NT_PRSTATUS, n))
			n++;
		CHECK_EQ(n, 8);
		close(c.fd);
		CHECK_OK(unlink("core"));
	}
}

/* Threads that come and go while another one faults. */
static void *passing(void *arg)
{
	__atomic_add_fetch(&ready, 1, __ATOMIC_SEQ_CST);
	return arg;
}

static void *spawner(void *arg)
{
	for (;;) {
		pthread_t t;

		if (!pthread_create(&t, NULL, passing, NULL))
			pthread_detach(t);
		else
			sched_yield();
	}
	return arg;
}

static void fault_among_passing(void)
{
	pthread_t t;

	for (int i = 0; i < 3; i++)
		pthread_create(&t, NULL, spawner, NULL);
	while (__atomic_load_n(&ready, __ATOMIC_SEQ_CST) < 20)
		sched_yield();
	bad_address();
}

TEST(threads_that_come_and_go)
{
	pid_t pid;

	set_up();
	for (int i = 0; i < 20; i++) {
		CHECK(WCOREDUMP(die_in(fault_among_passing, &pid)));
		CHECK_OK(unlink("core"));
	}
}

/* ---- names: guests only ---- */

#define PATTERN	"/proc/sys/kernel/core_pattern"

TEST(names)
{
	char name[100];
	pid_t pid;

	set_up();
	if (!in_guest())
		SKIP("only in a guest");
	write_file(PATTERN, "c.%e.%p.%i.%s.%u.%g.%%.%q.%");
	CHECK(WCOREDUMP(die_in(bad_address, &pid)));
	write_file(PATTERN, "core");
	snprintf(name, sizeof(name), "c.coredump.%d.%d.11.0.0.%%..", pid, pid);
	CHECK_OK(access(name, F_OK));

	write_file("/proc/sys/kernel/core_uses_pid", "1");
	CHECK(WCOREDUMP(die_in(bad_address, &pid)));
	write_file("/proc/sys/kernel/core_uses_pid", "0");
	snprintf(name, sizeof(name), "core.%d", pid);
	CHECK_OK(access(name, F_OK));
}

static void odd_name(void)
{
	prctl(PR_SET_NAME, "../../a/b");
	bad_address();
}

/* The name that a program gave itself does not choose the folder. */
TEST(tame_names)
{
	pid_t pid;

	set_up();
	if (!in_guest())
		SKIP("only in a guest");
	write_file(PATTERN, "x%e");
	CHECK(WCOREDUMP(die_in(odd_name, &pid)));
	write_file(PATTERN, "core");
	CHECK_OK(access("x..!..!a!b", F_OK));
}

TEST(suid_dumpable)
{
	char here[100], pattern[120];
	struct stat st;
	int status;
	pid_t pid;

	set_up();
	if (!in_guest())
		SKIP("only in a guest");
	CHECK_OK(chmod(".", 0777));
	write_file("/proc/sys/fs/suid_dumpable", "2");
	status = die_in(change_ids, &pid);
	CHECK(!WCOREDUMP(status));			/* the pattern names no folder */
	CHECK(getcwd(here, sizeof(here)));
	snprintf(pattern, sizeof(pattern), "%s/core", here);
	write_file(PATTERN, pattern);
	status = die_in(change_ids, &pid);
	write_file(PATTERN, "core");
	write_file("/proc/sys/fs/suid_dumpable", "0");
	CHECK(WCOREDUMP(status));
	CHECK_OK(stat("core", &st));
	CHECK(st.st_uid == 0 && (st.st_mode & 0777) == 0600);
}

/* ---- a program instead of a file: guests only ---- */

/* This program again, as the kernel starts it: "--reader FILE PID": copies its input to FILE. */
__attribute__((constructor)) static void reader(int argc, char **argv)
{
	static char buf[65536];
	char exe[64];
	bool alone = fcntl(1, F_GETFD) < 0;	/* we have no files but the pipe */
	ssize_t n;
	int fd;

	if (argc != 4 || strcmp(argv[1], "--reader"))
		return;
	snprintf(exe, sizeof(exe), "/proc/%s/exe", argv[3]);
	fd = open(argv[2], O_WRONLY | O_CREAT | O_EXCL, 0600);
	while ((n = read(0, buf, sizeof(buf))) > 0)
		if (write(fd, buf, n) != n)
			_exit(1);
	/* The process is still there. */
	if (access(exe, F_OK) || !alone || getuid())
		ftruncate(fd, 0);
	rename(argv[2], "/tmp/core.done");
	_exit(0);
}

TEST(to_a_program)
{
	char exe[60] = "", pattern[128];
	struct core c;
	int status;
	pid_t pid;

	set_up();
	if (!in_guest())
		SKIP("only in a guest");
	CHECK(readlink("/proc/self/exe", exe, sizeof(exe) - 1) > 0);
	snprintf(pattern, sizeof(pattern), "|%s  --reader /tmp/core.%%p %%P", exe);
	write_file(PATTERN, pattern);
	set_limit(0);					/* does not count here */
	status = die_in(bad_address, &pid);
	write_file(PATTERN, "core");
	CHECK(WTERMSIG(status) == SIGSEGV && WCOREDUMP(status));
	for (int i = 0; i < 6000 && access("/tmp/core.done", F_OK); i++)
		t_sleep_ms(10);
	c = read_core("/tmp/core.done");
	CHECK_EQ(saved(&c, &word), word);
	CHECK_OK(unlink("/tmp/core.done"));

	write_file(PATTERN, "|/no/such/program");
	status = die_in(bad_address, &pid);
	write_file(PATTERN, "core");
	CHECK(WTERMSIG(status) == SIGSEGV && !WCOREDUMP(status));
}

/* SIGKILL ends a dump that would take for ever: nobody reads the other end. */
static void big_and_bad(void)
{
	memset(mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), 1, 1 << 20);
	bad_address();
}

TEST(killed_while_it_dumps)
{
	int status;
	pid_t pid;

	set_up();
	if (!in_guest())
		SKIP("only in a guest");
	write_file(PATTERN, "|/bin/sleep 1000");
	pid = CHECK_OK(fork());
	if (!pid)
		big_and_bad();
	t_sleep_ms(500);
	CHECK_EQ(waitpid(pid, &status, WNOHANG), 0);
	CHECK_OK(kill(pid, SIGTERM));			/* does nothing any more */
	t_sleep_ms(100);
	CHECK_EQ(waitpid(pid, &status, WNOHANG), 0);
	CHECK_OK(kill(pid, SIGKILL));
	status = t_wait(pid);
	write_file(PATTERN, "core");
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL && !WCOREDUMP(status));
	CHECK_EQ(system("killall sleep"), 0);
}
