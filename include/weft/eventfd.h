/*
 * eventfd.h: raising an eventfd's counter from inside the kernel.
 */
#ifndef WEFT_EVENTFD_H
#define WEFT_EVENTFD_H

#include <weft/types.h>
#include <uapi/eventfd.h>

struct file;
struct eventfd_ctx;

struct file *eventfd_fget(int fd);
struct eventfd_ctx *eventfd_ctx_fileget(struct file *file);
void eventfd_ctx_put(struct eventfd_ctx *ctx);
u64 eventfd_signal(struct eventfd_ctx *ctx, u64 n);	/* any context */

#endif
