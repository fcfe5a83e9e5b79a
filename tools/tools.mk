# Targets that people call: run, gdb, and the static checks.

$(O)/root.cpio: tools/mkroot.sh $(shell find user/root -type f)
	@mkdir -p $(@D)
	@tools/mkroot.sh $@

# Debian 12's own programs; debian-small without compilers, Python and Perl, debian-python with Python's own tests.
$(O)/debian.cpio $(O)/debian-small.cpio $(O)/debian-python.cpio: tools/mkdebian.sh tools/tar2cpio.py $(shell find user/debian -type f)
	@mkdir -p $(@D)
	@tools/deps.sh debian
	@tools/mkdebian.sh $@ $(patsubst debian-%,%,$(filter debian-%,$(basename $(@F))))

# Debian 12 on a disk of its own.  What a session changes stays there, so it is made anew only when it is removed.
$(O)/debian.img:
	@mkdir -p $(@D)
	@tools/deps.sh debian
	@tools/mkdebian.sh $@ disk

# IMAGE=debian: on a disk; busybox (the default), debian-initramfs, debian-small or debian-python: carried as the initramfs.
IMAGE     := $(or $(IMAGE),busybox)
CPIO_NAME := $(patsubst busybox,root,$(patsubst debian-initramfs,debian,$(IMAGE)))
IMG_FILE  := $(O)/$(if $(filter debian,$(IMAGE)),debian.img,$(CPIO_NAME).cpio)
IMG_MEM   := $(if $(filter debian%,$(IMAGE)),1G)

.PHONY: deps run gdb
deps:
	@tools/deps.sh build run

run: deps
	@$(MAKE) --no-print-directory -s O=$(O) DEBUG=$(DEBUG) $(O)/weft.elf $(IMG_FILE)
	@KERNEL=$(O)/weft.elf $(if $(filter %.img,$(IMG_FILE)),DISK,INITRD)=$(IMG_FILE) CPUS='$(CPUS)' MEM='$(or $(MEM),$(IMG_MEM))' MACHINE='$(MACHINE)' CMD="$$CMD" \
	 DISPLAY_WINDOW='$(DISPLAY_WINDOW)' APPEND='$(APPEND)' QEMU_ARGS='$(QEMU_ARGS)' LIMIT='$(LIMIT)' SNAPSHOT='$(SNAPSHOT)' SHARE='$(SHARE)' tools/run.sh

# Boots with QEMU's gdb stub and attaches gdb: kernel symbols, and weft-ps, weft-bt, weft-mm, weft-rq, weft-slab.
gdb: deps
	@tools/deps.sh gdb
	@$(MAKE) --no-print-directory -s O=$(O) DEBUG=$(DEBUG) $(O)/weft.elf $(O)/root.cpio
	@KERNEL=$(O)/weft.elf INITRD=$(O)/root.cpio CPUS='$(CPUS)' MEM='$(MEM)' MACHINE='$(MACHINE)' tools/gdb/attach.sh

# ---- static checks; `make static` runs all five and fails if one does ----
.PHONY: static layers lines headers lockcheck docs
layers: $(OBJ)
	@tools/check-layers $(O)

lines:
	@tools/lines

headers: $(GENERATED)
	@tools/check-headers $(CC) $(CFLAGS)

lockcheck: $(GENERATED)
	@tools/deps.sh lockcheck
	@FILES='$(FILES)' tools/lockcheck $(CFLAGS)

docs:
	@tools/check-docs

static:
	@failed=0; for check in layers lines headers docs lockcheck; do \
		echo "== $$check"; $(MAKE) --no-print-directory -s O=$(O) DEBUG=$(DEBUG) $$check || failed=$$((failed + 1)); done; \
	echo "$$((5 - failed)) static checks passed, $$failed failed"; [ $$failed = 0 ]
