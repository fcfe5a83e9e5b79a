/*
 * main.h: what start-up shows to others: the state of the system and the names of the kernel.
 */
#ifndef WEFT_MAIN_H
#define WEFT_MAIN_H

#include <weft/types.h>
#include <weft/compiler.h>

enum system_states {
	SYSTEM_BOOTING,		/* one processor, no scheduling */
	SYSTEM_SCHEDULING,	/* tasks run, initcalls are under way */
	SYSTEM_RUNNING,		/* user space */
	SYSTEM_HALT,
	SYSTEM_POWER_OFF,
	SYSTEM_RESTART,
};

extern enum system_states system_state;
extern const char weft_banner[];
extern const char weft_proc_version[];

void start_kernel(void) __noreturn;
void pass_to_init(char *word, bool has_value);

/* In the order of start_kernel(); each is explained where it stands. */
void setup_arch(void);			/* arch/x86/kernel: memory map, command line, ACPI, page tables, traps */
void smp_prepare_boot_cpu(void);	/* arch/x86: the boot processor moves to its own per-CPU area */
void mm_core_init(void);		/* mm: zones, buddy, slab, vmalloc */
void pagecache_init(void);		/* mm/filemap.c */
void proc_caches_init(void);		/* mm/mm_init.c and task/fork.c: slab caches of mm, vma, files, signal */
void signals_init(void);
void vfs_caches_init(void);		/* fs: dentry and inode caches, the root mount */
void proc_root_init(void);
void time_init(void);			/* arch/x86: calibrate the TSC, start the boot processor's timer */
void populate_rootfs(void);		/* init/initramfs.c */
void console_on_rootfs(void);		/* descriptors 0, 1, 2 of pid 1 */
void prepare_root(void);			/* init/do_mounts.c: root= */
void free_initmem(void);
void mark_rodata_ro(void);

#endif
