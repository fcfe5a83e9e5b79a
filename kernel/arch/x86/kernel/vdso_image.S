/*
 * vdso_image.S: the vDSO's file, as the linker made it, on pages of its own.
 */
#include <generated/vdso_path.h>

	.section .rodata, "a"
	.balign 4096
	.globl vdso_image_start, vdso_image_end
vdso_image_start:
	.incbin VDSO_PATH
vdso_image_end:
	.balign 4096
	.section .note.GNU-stack, "", @progbits
