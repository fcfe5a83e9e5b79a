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

/* Runs a checked program over data.  Any context. */
u32 bpf_run(const struct sock_filter *insns, const u32 *data, unsigned int size);

/* How far the program gets whatever follows the first `known` bytes of data: the instruction (its index) that looks
 * beyond, or that returns, from where bpf_run() may as well begin.  0 where that cannot be said.  Any context. */
unsigned int bpf_prefix(const struct sock_filter *insns, const u32 *data, unsigned int size, unsigned int known);

#endif
