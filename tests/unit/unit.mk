# Unit tests: kernel/lib and the fair scheduling class (kernel/sched/fair.c), compiled for the host with address and
# undefined-behaviour sanitizers; `make unit`.
#
# The same sources and headers as in the kernel; tests/unit/include comes first and replaces what needs the processor in
# kernel mode.  Symbols that the C library also has get the prefix weft_ in the objects (rename.syms), so both are there.
U        := $(O)/unit
UNIT_LIB := string kstrtox bitmap rbtree xarray idr sort hash crc32 llist chacha inflate vsprintf vsprintf_pointer sscanf iov_iter
UNIT_OBJ := $(UNIT_LIB:%=$U/lib/%.o) $(patsubst tests/unit/test_%.c,$U/test_%.o,$(wildcard tests/unit/test_*.c)) \
            $U/sched/fair.o $U/shim.o $U/vectors.o
UNIT_CFLAGS := -std=gnu11 -O1 -g -ffreestanding -fno-strict-aliasing -fwrapv -fno-omit-frame-pointer -D__KERNEL__ \
               -fsanitize=address,undefined -fno-sanitize=alignment -fno-sanitize-recover=undefined \
               -nostdinc -isystem $(shell $(CC) -print-file-name=include) -Itests/unit/include -Itests/unit -Iinclude \
               -Ikernel/arch/x86/include -Ikernel/lib -I$(O)/generated $(WARN)

.PHONY: unit
unit: $U/unit
	@$U/unit

$U/lib/%.o: kernel/lib/%.c tests/unit/rename.syms $(GENERATED)
	@mkdir -p $(@D)
	@$(CC) $(UNIT_CFLAGS) -MMD -MP -c -o $@ $<
	@objcopy --redefine-syms=tests/unit/rename.syms $@

$U/sched/%.o: kernel/sched/%.c $(GENERATED)
	@mkdir -p $(@D)
	@$(CC) $(UNIT_CFLAGS) -MMD -MP -c -o $@ $<

$U/%.o: tests/unit/%.c tests/unit/rename.syms $(GENERATED)
	@mkdir -p $(@D)
	@$(CC) $(UNIT_CFLAGS) -MMD -MP -c -o $@ $<
	@objcopy --redefine-syms=tests/unit/rename.syms $@

$U/vectors.S: tests/unit/gen_vectors.py
	@mkdir -p $(@D)
	@$(PYTHON) $< $U

$U/vectors.o: $U/vectors.S
	@$(CC) -c -o $@ $<

$U/unit: $(UNIT_OBJ) tests/unit/host.c
	@$(CC) -O1 -g -Wall -fsanitize=address,undefined -o $@ $^

-include $(wildcard $U/*.d $U/lib/*.d $U/sched/*.d)
