/*
 * aio.h: an address space with contexts of asynchronous I/O goes.  kernel/fs/aio.c.
 *
 * See:     io_setup(2)
 */
#ifndef WEFT_AIO_H
#define WEFT_AIO_H

struct mm_struct;
void exit_aio(struct mm_struct *mm);	/* no user is left; may sleep */

#endif
