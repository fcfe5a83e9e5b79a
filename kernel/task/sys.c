/*
 * sys.c: small system calls about the system as a whole: its names, memory and load, the caller's CPU
 *        and umask, and the end of it.
 *
 * Idea:    what another subsystem knows is asked there; only the end of the system is organised here: shutdown hooks run,
 *          last registered first, before the machine is switched off.
 * Locking: hooks_lock for the list of hooks; the names are utsname.c's.
 * See:     uname(2), sethostname(2), sysinfo(2), getcpu(2), personality(2), reboot(2)
 */
#include <weft/time_namespace.h>
#include <weft/kernel.h>
#include <weft/compat.h>
#include <weft/cred.h>
#include <weft/fs_struct.h>
#include <weft/personality.h>
#include <weft/pid_namespace.h>
#include <weft/reboot.h>
#include <weft/signal.h>
#include <weft/sched.h>
#include <weft/smp.h>
#include <weft/stat.h>
#include <weft/string.h>
#include <weft/syscalls.h>
#include <weft/timekeeping.h>
#include <weft/uaccess.h>
#include <weft/utsname.h>
#include <weft/vmstat.h>
#include <uapi/sysinfo.h>
#include "internal.h"

/* ---- state ---- */

/* Sizes in the unit in which the largest fits 32 bits. */
static long put_compat_sysinfo(const struct sysinfo *s, void __user *info)
{
	struct compat_sysinfo c = {
		.uptime = (s32)s->uptime, .loads = { (u32)s->loads[0], (u32)s->loads[1], (u32)s->loads[2] },
		.procs = s->procs, .mem_unit = s->mem_unit,
	};
	unsigned int shift = 0;

	while ((s->totalram >> shift | s->totalswap >> shift) > U32_MAX) {
		shift++;
		c.mem_unit <<= 1;
	}
	c.totalram = (u32)(s->totalram >> shift);
	c.freeram = (u32)(s->freeram >> shift);
	c.sharedram = (u32)(s->sharedram >> shift);
	c.bufferram = (u32)(s->bufferram >> shift);
	c.totalswap = (u32)(s->totalswap >> shift);
	c.freeswap = (u32)(s->freeswap >> shift);
	return copy_to_user(info, &c, sizeof(c)) ? -EFAULT : 0;
}

long sys_sysinfo(struct sysinfo __user *info)
{
	struct sysinfo val = { 0 };
	struct timespec64 uptime;

	ktime_get_boottime_ts64(&uptime);
	time_ns_add(CLOCK_BOOTTIME, &uptime);
	val.uptime = uptime.tv_sec + (uptime.tv_nsec ? 1 : 0);
	get_avenrun(val.loads, 0, SI_LOAD_SHIFT - 11);
	val.procs = (unsigned short)min(data_race(nr_threads), 0xffff);
	si_meminfo(&val);
	if (in_compat_syscall())
		return put_compat_sysinfo(&val, info);
	return copy_to_user(info, &val, sizeof(val)) ? -EFAULT : 0;
}

/* Both may change before the caller sees them. */
long sys_getcpu(unsigned int __user *cpup, unsigned int __user *nodep, struct getcpu_cache __user *unused)
{
	unsigned int cpu = (unsigned int)raw_smp_processor_id();

	return (cpup && put_user(cpu, cpup)) || (nodep && put_user((unsigned int)cpu_to_node((int)cpu), nodep)) ? -EFAULT : 0;
}

/* The old one.  0xffffffff only asks. */
long sys_personality(unsigned int personality)
{
	unsigned int old = current->personality;

	if (personality != 0xffffffff)
		current->personality = personality;
	return old;
}

/* Shared with those who share the fs_struct, like it; one word. */
long sys_umask(int mask)
{
	return xchg(&current->fs->umask, mask & S_IRWXUGO);
}

/* ---- the end ---- */

#define LINUX_REBOOT_MAGIC1		0xfee1dead
#define LINUX_REBOOT_MAGIC2		672274793
#define LINUX_REBOOT_MAGIC2A		85072278
#define LINUX_REBOOT_MAGIC2B		369367448
#define LINUX_REBOOT_MAGIC2C		537993216
#define LINUX_REBOOT_CMD_RESTART	0x01234567
#define LINUX_REBOOT_CMD_HALT		0xcdef0123
#define LINUX_REBOOT_CMD_CAD_ON		0x89abcdef
#define LINUX_REBOOT_CMD_CAD_OFF	0x00000000
#define LINUX_REBOOT_CMD_POWER_OFF	0x4321fedc
#define LINUX_REBOOT_CMD_RESTART2	0xa1b2c3d4

static LIST_HEAD(shutdown_hooks);		/* [hooks_lock] */
static DEFINE_SPINLOCK(hooks_lock);

void register_shutdown_hook(struct shutdown_hook *hook)
{
	spin_lock(&hooks_lock);
	list_add(&hook->node, &shutdown_hooks);
	spin_unlock(&hooks_lock);
}

/* Hooks stay, and none is added once the machine goes down. */
static void run_shutdown_hooks(void)
{
	struct shutdown_hook *hook;

	list_for_each_entry(hook, &shutdown_hooks, node)
		hook->fn(hook);
}

void __noreturn kernel_restart(const char *cmd)
{
	system_state = SYSTEM_RESTART;
	run_shutdown_hooks();
	printk(KERN_EMERG "weft: restarting%s%s\n", cmd ? " with command " : "", cmd ? cmd : "");
	machine_restart(cmd);
}

void __noreturn kernel_power_off(void)
{
	system_state = SYSTEM_POWER_OFF;
	run_shutdown_hooks();
	printk(KERN_INFO "weft: power off\n");
	machine_power_off();
}

void __noreturn kernel_halt(void)
{
	system_state = SYSTEM_HALT;
	run_shutdown_hooks();
	printk(KERN_EMERG "weft: halted\n");
	machine_halt();
}

static bool reboot_magic_ok(u32 magic1, u32 magic2)
{
	return magic1 == LINUX_REBOOT_MAGIC1 &&
	       (magic2 == LINUX_REBOOT_MAGIC2 || magic2 == LINUX_REBOOT_MAGIC2A || magic2 == LINUX_REBOOT_MAGIC2B ||
		magic2 == LINUX_REBOOT_MAGIC2C);
}

/* In a pid namespace of its own nothing happens to the machine: the namespace ends, and who waits sees what was asked. */
static long reboot_inside(struct pid_namespace *ns, unsigned int cmd)
{
	switch (cmd) {
	case LINUX_REBOOT_CMD_RESTART:
	case LINUX_REBOOT_CMD_RESTART2:
		reboot_pid_ns(ns, SIGHUP);
	case LINUX_REBOOT_CMD_POWER_OFF:
	case LINUX_REBOOT_CMD_HALT:
		reboot_pid_ns(ns, SIGINT);
	default:
		return -EINVAL;
	}
}

/* Does not sync: the caller has. */
long sys_reboot(int magic1, int magic2, unsigned int cmd, void __user *arg)
{
	struct pid_namespace *ns = task_active_pid_ns(current);
	char buffer[256];

	if (!ns_capable(ns->user_ns, CAP_SYS_BOOT))
		return -EPERM;
	if (!reboot_magic_ok((u32)magic1, (u32)magic2))
		return -EINVAL;
	if (ns != &init_pid_ns)
		return reboot_inside(ns, cmd);
	switch (cmd) {
	case LINUX_REBOOT_CMD_RESTART:
		kernel_restart(NULL);
	case LINUX_REBOOT_CMD_RESTART2:
		if (strncpy_from_user(buffer, arg, sizeof(buffer) - 1) < 0)
			return -EFAULT;
		buffer[sizeof(buffer) - 1] = '\0';
		kernel_restart(buffer);
	case LINUX_REBOOT_CMD_POWER_OFF:
		kernel_power_off();
	case LINUX_REBOOT_CMD_HALT:
		kernel_halt();
	case LINUX_REBOOT_CMD_CAD_ON:
	case LINUX_REBOOT_CMD_CAD_OFF:
		return 0;	/* there is no Ctrl-Alt-Del that could restart the machine */
	default:
		return -EINVAL;
	}
}
