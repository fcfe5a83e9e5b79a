/*
 * elf.h: ELF inside the kernel: the ABI's structures and this processor's answers.
 */
#ifndef WEFT_ELF_H
#define WEFT_ELF_H

#include <uapi/elf.h>
#include <uapi/auxvec.h>
#include <asm/elf.h>

#define elfhdr		elf64_hdr
#define elf_phdr	elf64_phdr

#endif
