/*
 * elf.h: the executable and linkable format, 64 bit.  See elf(5), the System V ABI.
 */
#ifndef UAPI_ELF_H
#define UAPI_ELF_H

#include <weft/types.h>

typedef u64 Elf64_Addr;
typedef u64 Elf64_Off;
typedef u16 Elf64_Half;
typedef u32 Elf64_Word;
typedef s32 Elf64_Sword;
typedef u64 Elf64_Xword;
typedef s64 Elf64_Sxword;

#define EI_NIDENT	16
#define EI_CLASS	4
#define EI_DATA		5
#define EI_VERSION	6
#define EI_OSABI	7
#define ELFMAG		"\177ELF"
#define SELFMAG		4
#define ELFCLASS32	1
#define ELFCLASS64	2
#define ELFDATA2LSB	1
#define EV_CURRENT	1
#define EM_386		3
#define EM_X86_64	62
#define ET_REL		1
#define ET_EXEC		2
#define ET_DYN		3
#define ET_CORE		4

typedef struct elf64_hdr {
	unsigned char	e_ident[EI_NIDENT];
	Elf64_Half	e_type, e_machine;
	Elf64_Word	e_version;
	Elf64_Addr	e_entry;
	Elf64_Off	e_phoff, e_shoff;
	Elf64_Word	e_flags;
	Elf64_Half	e_ehsize, e_phentsize, e_phnum, e_shentsize, e_shnum, e_shstrndx;
} Elf64_Ehdr;

typedef struct elf64_phdr {
	Elf64_Word	p_type, p_flags;
	Elf64_Off	p_offset;
	Elf64_Addr	p_vaddr, p_paddr;
	Elf64_Xword	p_filesz, p_memsz, p_align;
} Elf64_Phdr;

typedef struct elf32_hdr {
	unsigned char	e_ident[EI_NIDENT];
	u16		e_type, e_machine;
	u32		e_version, e_entry, e_phoff, e_shoff, e_flags;
	u16		e_ehsize, e_phentsize, e_phnum, e_shentsize, e_shnum, e_shstrndx;
} Elf32_Ehdr;

typedef struct elf32_phdr {
	u32		p_type, p_offset, p_vaddr, p_paddr, p_filesz, p_memsz, p_flags, p_align;
} Elf32_Phdr;

typedef struct elf64_note {
	Elf64_Word	n_namesz, n_descsz, n_type;
} Elf64_Nhdr;

#define PT_NULL		0
#define PT_LOAD		1
#define PT_DYNAMIC	2
#define PT_INTERP	3
#define PT_NOTE		4
#define PT_SHLIB	5
#define PT_PHDR		6
#define PT_TLS		7
#define PT_GNU_EH_FRAME	0x6474e550
#define PT_GNU_STACK	0x6474e551
#define PT_GNU_RELRO	0x6474e552
#define PT_GNU_PROPERTY	0x6474e553
#define PF_X		1
#define PF_W		2
#define PF_R		4
#define PN_XNUM		0xffff

/* Core files (gcore, later our own dumps) */
#define NT_PRSTATUS	1
#define NT_PRFPREG	2
#define NT_PRPSINFO	3
#define NT_AUXV		6
#define NT_386_TLS	0x200
#define NT_X86_XSTATE	0x202
#define NT_PRXFPREG	0x46e62b7f

_Static_assert(sizeof(Elf64_Ehdr) == 64, "ELF header");
_Static_assert(sizeof(Elf64_Phdr) == 56, "ELF program header");

#endif
