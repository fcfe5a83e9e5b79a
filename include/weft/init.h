/*
 * init.h: code and data for start-up only, calls made in order at start-up, and words of the command line.
 *
 * Idea:    each declaration puts a pointer into a section; the linker script keeps the sections in order, main.c and
 *          params.c walk them.  Everything marked __init is given back to the page allocator by free_initmem().
 * See:     kernel/arch/x86/weft.lds, kernel/init/main.c, params.c
 */
#ifndef WEFT_INIT_H
#define WEFT_INIT_H

#include <weft/types.h>
#include <weft/compiler.h>

#define __init		__attribute__((section(".init.text"), cold))
#define __initdata	__attribute__((section(".init.data")))
#define __initconst	__attribute__((section(".init.rodata")))

typedef int (*initcall_t)(void);
extern initcall_t __initcall_start[], __initcall_end[];

/* Levels run in the order of their numbers; within one, in link order. */
#define __define_initcall(fn, level) \
	static initcall_t __initcall_##fn __attribute__((used, section(".initcall" #level ".init"))) = fn
#define core_initcall(fn)	__define_initcall(fn, 1)
#define postcore_initcall(fn)	__define_initcall(fn, 2)
#define arch_initcall(fn)	__define_initcall(fn, 3)
#define subsys_initcall(fn)	__define_initcall(fn, 4)
#define fs_initcall(fn)		__define_initcall(fn, 5)
#define device_initcall(fn)	__define_initcall(fn, 6)
#define late_initcall(fn)	__define_initcall(fn, 7)

/*
 * early_param("name", fn): fn(value) before memory management is up; value is "" for a bare word; 0 or -errno.
 * __setup("name=", fn) or __setup("name", fn): fn(rest) from parse_args(); 1 when it took the word, 0 when not.
 */
struct obs_kernel_param {
	const char	*str;
	int		(*setup_func)(char *);
	int		early;
};
extern struct obs_kernel_param __setup_start[], __setup_end[];
#define __setup_named(s, name, fn, is_early) \
	static struct obs_kernel_param name \
	__attribute__((used, section(".init.setup"), aligned(8))) = { s, fn, is_early }
#define __setup_join(id, fn)	__setup_##fn##_##id
#define __setup_id(id, fn)	__setup_join(id, fn)
#define __setup(s, fn)		__setup_named(s, __setup_id(__LINE__, fn), fn, 0)
#define early_param(s, fn)	__setup_named(s, __setup_id(__LINE__, fn), fn, 1)

#define COMMAND_LINE_SIZE	2048
extern char boot_command_line[COMMAND_LINE_SIZE];	/* [I] as the loader gave it */
extern char saved_command_line[COMMAND_LINE_SIZE];	/* [I] for /proc/cmdline: parse_args() cuts the other up */
void parse_early_param(void);		/* init/params.c; called by setup_arch() */
void parse_args(char *cmdline);

/* The initramfs as the loader left it in memory (setup.c); 0 if there is none. */
extern phys_addr_t phys_initrd_start;
extern unsigned long phys_initrd_size;
extern unsigned long initrd_start, initrd_end;		/* the same in the direct map */
extern bool initrd_in_ram;		/* [I] false: the firmware claims part of it; it is never freed */

#endif
