/* thread_info.h for unit tests: one thread, whose thread_info is not at the foot of the host's stack. */
#ifndef UNIT_ASM_THREAD_INFO_H
#define UNIT_ASM_THREAD_INFO_H

#define current_thread_info kernel_current_thread_info
#include_next <asm/thread_info.h>
#undef current_thread_info

extern struct thread_info unit_thread_info;

static inline struct thread_info *current_thread_info(void)
{
	return &unit_thread_info;
}

#endif
