# Weft's one Makefile.  What a person types:
#   make run [CPUS=4] [MEM=256M] [CMD='ls -l'] [DISPLAY_WINDOW=1]   build, boot to a shell
#   make test       everything, release and debug, 1, 2 and 4 CPUs   (ends with "N passed, N failed")
#   make check      the inner loop: static checks, unit tests, one quick boot
#   make            the release kernel, build/weft.elf    make DEBUG=1   the checking kernel, build/debug/weft.elf
#   make obj DIR=kernel/mm    compile the objects of one folder only
# Sources are found, not listed: every .c and .S below kernel/ is part of the kernel.

MAKEFLAGS += --no-builtin-rules
.DELETE_ON_ERROR:

ifeq ($(DEBUG),1)
O      ?= build/debug
else
O      ?= build
endif

CC     := gcc
LD     := ld
NM     := nm
PYTHON := python3

# Reasons for the few -W that are taken back: operations in a table of functions rarely use all their arguments,
# a missing field initialiser means zero, and comparing a count with an index is not a mistake by itself.
WARN   := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wno-unused-parameter \
          -Wno-missing-field-initializers -Wno-sign-compare -Werror
INC    := -nostdinc -isystem $(shell $(CC) -print-file-name=include) -Iinclude -Ikernel/arch/x86/include -I$(O)/generated
CFLAGS := -std=gnu11 -O2 -g -ffreestanding -fno-pie -fno-pic -mcmodel=kernel -mno-red-zone -mgeneral-regs-only -mpreferred-stack-boundary=3 \
          -fno-strict-aliasing -fwrapv -fno-common -fno-delete-null-pointer-checks -fno-stack-protector \
          -fno-omit-frame-pointer -fno-optimize-sibling-calls -fcf-protection=none -fno-asynchronous-unwind-tables \
          -fno-tree-loop-distribute-patterns -falign-functions=16 -D__KERNEL__ $(WARN) $(INC)
ifeq ($(DEBUG),1)
CFLAGS += -DCONFIG_DEBUG=1
# Not -fsanitize=null: &ptr->field of a user's NULL is an address like any other here, and a real NULL access faults anyway.
SAN    := -fsanitize=kernel-address -fasan-shadow-offset=0 --param asan-stack=0 --param asan-globals=0 \
          --param asan-instrumentation-with-call-threshold=0 -fsanitize=bounds,shift,object-size,vla-bound,unreachable
endif
# What the checkers themselves are made of must not be checked.
NOSAN  := kernel/lib/kasan.c kernel/lib/ubsan.c kernel/locking/lockdep.c kernel/locking/spinlock.c

CSRC   := $(sort $(shell find kernel -name '*.c' -not -path '*/vdso/*'))
SSRC   := $(sort $(shell find kernel -name '*.S' -not -path '*/vdso/*'))
OBJ    := $(CSRC:%.c=$(O)/%.o) $(SSRC:%.S=$(O)/%.S.o)
DEP    := $(OBJ:.o=.d)
LDS    := kernel/arch/x86/weft.lds

.PHONY: all obj clean run test check gdb
all: $(O)/weft.elf

include $(wildcard kernel/build.mk tests/tests.mk tools/tools.mk user/lessons/lessons.mk libweft/libweft.mk bench/bench.mk)

obj: $(filter $(O)/$(DIR)/%,$(OBJ))

# After the generated headers, but not anew whenever one of them changes: the .d files know who reads which.
$(O)/%.o: %.c | $(GENERATED)
	@mkdir -p $(@D)
	@echo "  CC  $<"
	@$(CC) $(CFLAGS) $(if $(filter $<,$(NOSAN)),,$(SAN)) $(CFLAGS_$(<)) -MMD -MP -c -o $@ $<

$(O)/%.S.o: %.S | $(GENERATED)
	@mkdir -p $(@D)
	@echo "  AS  $<"
	@$(CC) $(INC) -D__ASSEMBLY__ -D__KERNEL__ $(if $(filter 1,$(DEBUG)),-DCONFIG_DEBUG=1) -fno-pie -g -MMD -MP -c -o $@ $<

clean:
	rm -rf build

-include $(DEP)
