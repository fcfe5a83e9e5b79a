/*
 * un.h: what Unix sockets show to other folders: the text of /proc/net/unix.
 */
#ifndef WEFT_UN_H
#define WEFT_UN_H

#include <uapi/un.h>

struct seq_file;

/* The whole of /proc/net/unix; for proc_create_single(). */
int proc_net_unix_show(struct seq_file *m, void *v);

#endif
