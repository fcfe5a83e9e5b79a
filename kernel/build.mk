# How the kernel is linked: generated headers first, objects, a first link for its symbols, then the symbol table itself
# (tools/kallsyms.py), then the image.
#
#   $(GENERATED)          headers made from tables; every object waits for them
#   $(O)/vdso/vdso.so     the shared object that the kernel carries for its programs (vdso_image.S takes it in)
#   $(O)/weft.elf         the kernel: qemu -kernel takes it as it is (PVH note)
GENERATED :=
include kernel/trace/trace.mk

GEN := $(O)/generated/generated

# ---- system calls ----
SYSCALL_TBL := kernel/arch/x86/entry/syscall_64.tbl kernel/arch/x86/entry/syscall_32.tbl
GENERATED += $(O)/generated/.syscalls_stamp

$(O)/generated/.syscalls_stamp: tools/gen_syscalls.py $(SYSCALL_TBL)
	@mkdir -p $(GEN)
	@$(PYTHON) tools/gen_syscalls.py $(SYSCALL_TBL) $(GEN) doc/syscalls.md
	@touch $@
# The generator rewrites only what differs, so these may stay older than their stamp.
$(GEN)/syscalls.h $(GEN)/nr_syscalls.h $(GEN)/syscall_table.h $(GEN)/syscall_table_32.h: $(O)/generated/.syscalls_stamp ;

# ---- vDSO: user code, so none of the kernel's flags ----
VDSO_DIR    := kernel/arch/x86/vdso
VDSO_CFLAGS := -std=gnu11 -O2 -fPIC -ffreestanding -fno-stack-protector -fcf-protection=none -fno-builtin -fvisibility=hidden \
               -mno-sse -fasynchronous-unwind-tables -D__VDSO__ $(WARN) $(INC)

$(O)/vdso/%.o: $(VDSO_DIR)/%.c $(wildcard $(VDSO_DIR)/*.h) include/weft/vdso_data.h $(GEN)/nr_syscalls.h
	@mkdir -p $(@D)
	@echo "  CC  $<"
	@$(CC) $(VDSO_CFLAGS) -c -o $@ $<

$(O)/vdso/vdso.so: $(patsubst $(VDSO_DIR)/%.c,$(O)/vdso/%.o,$(wildcard $(VDSO_DIR)/*.c)) $(VDSO_DIR)/vdso.lds
	@$(LD) -shared -soname=linux-vdso.so.1 --hash-style=both --build-id=none --eh-frame-hdr -z noexecstack -z max-page-size=4096 \
	       --no-undefined -Bsymbolic -T $(VDSO_DIR)/vdso.lds -o $@ $(filter %.o,$^)

$(GEN)/vdso_path.h: $(O)/vdso/vdso.so
	@mkdir -p $(@D)
	@echo '#define VDSO_PATH "$(abspath $<)"' > $@

$(O)/kernel/arch/x86/kernel/vdso_image.S.o: $(GEN)/vdso_path.h

# ---- the image ----
LDFLAGS := -nostdlib -static -z max-page-size=4096 -z noexecstack --build-id=none --no-warn-rwx-segments -T $(LDS) \
           $(if $(filter 1,$(DEBUG)),--defsym=__debug_build=1)

$(O)/kallsyms0.S: tools/kallsyms.py
	@mkdir -p $(@D)
	@$(PYTHON) tools/kallsyms.py $@ < /dev/null

$(O)/weft0.elf: $(OBJ) $(O)/kallsyms0.o $(LDS)
	@echo "  LD  $@"
	@$(LD) $(LDFLAGS) -o $@ $(OBJ) $(O)/kallsyms0.o

$(O)/kallsyms.S: $(O)/weft0.elf tools/kallsyms.py
	@$(NM) -n $< | $(PYTHON) tools/kallsyms.py $@

$(O)/kallsyms0.o $(O)/kallsyms.o: %.o: %.S
	@$(CC) -c -o $@ $<

$(O)/weft.elf: $(O)/weft0.elf $(O)/kallsyms.o $(LDS)
	@echo "  LD  $@"
	@$(LD) $(LDFLAGS) -o $@ $(OBJ) $(O)/kallsyms.o
