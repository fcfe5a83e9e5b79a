/*
 * personality.h: personality(2): flags by which a program asks for another kernel's manners.  Of them only
 * ADDR_NO_RANDOMIZE (setarch -R, debuggers) changes anything here.
 */
#ifndef WEFT_PERSONALITY_H
#define WEFT_PERSONALITY_H

#include <uapi/personality.h>
#include <weft/sched.h>

#define personality(pers)	((pers) & PER_MASK)

extern int randomize_va_space;		/* [-] 0: no random places at all; else: all of them */

/* Does the running task's next address space get random places? */
static inline bool layout_is_random(void)
{
	return READ_ONCE(randomize_va_space) && !(current->personality & ADDR_NO_RANDOMIZE);
}

#endif
