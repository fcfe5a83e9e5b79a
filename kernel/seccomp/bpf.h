/*
 * bpf.h: classic BPF programs over a block of 32-bit words.
 */
#ifndef SECCOMP_BPF_H
#define SECCOMP_BPF_H

#include <weft/types.h>
#include <uapi/filter.h>

/* 0, or -EINVAL: an instruction that is not allowed here, a jump out of the program, no return at the end, a word of
 * memory read before it is written, a load from outside `size` bytes; -ENOMEM.  May sleep. */
int bpf_check(const struct sock_filter *insns, unsigned int len, unsigned int size);

/* Runs a checked program over data, of which only the first `known` bytes may be looked at: a load from beyond sets
 * *unknown and ends it.  `unknown` may be NULL when all is known.  Any context. */
u32 bpf_run(const struct sock_filter *insns, const u32 *data, unsigned int size, unsigned int known, bool *unknown);

#endif
