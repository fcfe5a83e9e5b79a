/*
 * isolation: each process has an address space of its own; what is not in it cannot be reached.
 *
 * Seeds:  003 "what if memory is short" and "isolation": without address spaces a malicious program changes another's data; with
 *         them "each process has its own virtual space and can reach only that".  000 §9.3.4: user mode reaches the user part
 *         only, the kernel's part is shared and closed.
 * Expect: (1) parent and child hold different numbers at one address, in different page frames.  (2) A page that the parent maps
 *         after the fork is not there for the child: SIGSEGV.  (3) Reading and writing kernel addresses: SIGSEGV; handing them
 *         to a system call: EFAULT.  (4) A read-only page cannot be written, nor code be run from a data page.  (5) A process
 *         of another user cannot read or write ours by process_vm_readv, /proc/PID/mem or ptrace.
 */
#include "pages.h"
#include <sys/ptrace.h>
#include <sys/uio.h>

#define KERNEL_ADDRESS	((volatile int *)0xffffffff81000000ul)	/* where kernels lie */
#define KERNEL_HALF	((volatile int *)0xffff888000000000ul)	/* and all of memory, on Linux */

enum access { READ, WRITE, RUN };

static volatile int number __attribute__((aligned(4096)));
static int secret = 4711;

/* How a child ends that touches this: 0, or 128 + signal. */
static int touch(volatile int *p, enum access how)
{
	pid_t pid = child();

	if (!pid) {
		if (how == READ)
			_exit(*p ? 0 : 0);
		if (how == WRITE)
			*p = 1;
		else
			((void (*)(void))p)();
		_exit(0);
	}
	return reap(pid);
}

static void must_die(const char *what, volatile int *p, enum access how)
{
	int end = touch(p, how);

	printf("%-42s %s\n", what, end == 128 + SIGSEGV ? "SIGSEGV" : end ? "ended in another way" : "WENT THROUGH");
	must(end == 128 + SIGSEGV, "%s: end code %d", what, end);
}

static void same_address(void)
{
	uint64_t *frame = shared(PAGE);
	int up[2], down[2];
	pid_t pid;
	char c;

	ok(pipe(up));
	ok(pipe(down));
	number = 1;
	pid = child();
	if (!pid) {
		number = 2;
		pagemap(&number, 1, &frame[1]);
		if (write(up[1], "x", 1) != 1 || read(down[0], &c, 1) != 1)
			_exit(1);
		_exit(number == 2 ? 0 : 2);
	}
	must(read(up[0], &c, 1) == 1, "the child is gone");
	pagemap(&number, 1, &frame[0]);
	printf("address %p: the parent reads %d, the child wrote 2", (void *)&number, number);
	if (frame[0] & PAGE_FRAME)
		printf("; page frames %#llx and %#llx", frame[0] & PAGE_FRAME, frame[1] & PAGE_FRAME);
	printf("\n");
	must(number == 1, "the child's write is seen by the parent");
	must(!(frame[0] & PAGE_FRAME) || frame[0] != frame[1], "both are in one page frame");
	number = 3;
	must(write(down[1], "x", 1) == 1 && reap(pid) == 0, "the parent's write is seen by the child");
}

static void not_mapped(void)
{
	volatile int **where = shared(PAGE);
	int gate[2];
	pid_t pid;
	char c;
	int end;

	ok(pipe(gate));
	pid = child();
	if (!pid) {
		if (read(gate[0], &c, 1) != 1)
			_exit(1);
		_exit(**where ? 2 : 3);
	}
	*where = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	**where = secret;
	must(write(gate[1], "x", 1) == 1, "the child is gone");
	end = reap(pid);
	printf("%-42s %s\n", "child reads a page that only the parent has", end == 128 + SIGSEGV ? "SIGSEGV" : "WENT THROUGH");
	must(end == 128 + SIGSEGV, "the child reached a page of the parent (%d)", end);
}

static void system_calls(void)
{
	int p[2];

	ok(pipe(p));
	must(write(p[1], (void *)KERNEL_ADDRESS, 8) == -1 && errno == EFAULT, "write() from a kernel address: no EFAULT");
	must(write(p[1], "12345678", 8) == 8, "pipe");
	must(read(p[0], (void *)KERNEL_HALF, 8) == -1 && errno == EFAULT, "read() to a kernel address: no EFAULT");
	printf("%-42s EFAULT\n", "kernel addresses given to read and write");
}

static void other_user(void)
{
	pid_t pid, parent = getpid();

	if (geteuid()) {
		printf("(not root: what another user can do is not tried)\n");
		return;
	}
	pid = child();
	if (!pid) {
		int loot = 0;
		struct iovec mine = { &loot, sizeof(loot) }, theirs = { &secret, sizeof(secret) };
		char path[64];

		if (setgid(65534) || setuid(65534))
			_exit(1);
		secret = 0;			/* our copy: it must not be what is read */
		if (process_vm_readv(parent, &mine, 1, &theirs, 1, 0) != -1 || loot)
			_exit(2);
		if (process_vm_writev(parent, &mine, 1, &theirs, 1, 0) != -1)
			_exit(3);
		snprintf(path, sizeof(path), "/proc/%d/mem", parent);
		if (open(path, O_RDONLY) != -1 || open(path, O_RDWR) != -1)
			_exit(4);
		if (ptrace(PTRACE_ATTACH, parent, NULL, NULL) != -1)
			_exit(5);
		_exit(0);
	}
	must(reap(pid) == 0 && secret == 4711, "another user got at our memory");
	printf("%-42s refused\n", "another user: process_vm_*, mem, ptrace");
}

int main(void)
{
	static const unsigned char ret = 0xc3;	/* one instruction: return */
	unsigned char *data = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	void *read_only = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });	/* many children will die here */
	must(data != MAP_FAILED && read_only != MAP_FAILED, "mmap: %s", strerror(errno));
	data[0] = ret;
	same_address();
	not_mapped();
	must_die("reading the kernel's code", KERNEL_ADDRESS, READ);
	must_die("writing the kernel's code", KERNEL_ADDRESS, WRITE);
	must_die("running the kernel's code", KERNEL_ADDRESS, RUN);
	must_die("reading the kernel's view of all memory", KERNEL_HALF, READ);
	must_die("writing the kernel's view of all memory", KERNEL_HALF, WRITE);
	must_die("reading address 0", NULL, READ);
	system_calls();
	must(touch(read_only, READ) == 0, "a read-only page cannot be read");
	must_die("writing a read-only page", read_only, WRITE);
	must_die("running a data page", (volatile int *)data, RUN);
	other_user();
	shown();
}
