# tests.mk: the test programs and how they are built; tests/run.sh runs them and counts.
T       := $(B)/t
TSRC    := $(addprefix $(HERE)src/,$(LIBSRC)) $(HERE)src/arch/$(ARCH)/switch.S
SIMSRC  := $(HERE)tests/sim.c $(HERE)tests/sim_test.c $(addprefix $(HERE)src/,sched.c timer.c stack.c thread.c init.c sync.c group.c \
           chan.c coro.c dump.c trace.c) $(HERE)src/arch/$(ARCH)/switch.S
TFLAGS  := -std=gnu11 -O1 -g -fno-omit-frame-pointer -fcf-protection=none -Wall -Wno-tsan -pthread
DEPS    := $(wildcard $(HERE)src/*.[ch] $(HERE)src/arch/*/* $(HERE)include/weft/* $(HERE)tests/*.[ch])
A64SRC  := $(patsubst %/arch/$(ARCH)/switch.S,%/arch/aarch64/switch.S,$(TSRC))
HAVE_A64 := $(shell command -v $(CROSS)gcc)

PROGRAMS := $(T)/unit_test $(T)/unit_static $(T)/model_test $(T)/preload_prog $(T)/sim_test $(T)/unit_asan $(T)/unit_tsan $(T)/model_asan $(if $(HAVE_A64),$(T)/unit_a64 $(T)/sim_a64)

$(T)/unit_test $(T)/model_test $(T)/preload_prog: $(T)/%: $(HERE)tests/%.c $(B)/libweft.so.1
	@mkdir -p $(T)
	@$(CC) $(TFLAGS) -I$(HERE)include -o $@ $< -L$(B) -lweft -Wl,-rpath,$(B)

# getaddrinfo in a static program wants the shared C library at run time: the linker says so.
$(T)/unit_static: $(HERE)tests/unit_test.c $(B)/libweft.a
	@mkdir -p $(T)
	@$(CC) $(TFLAGS) -static -I$(HERE)include -Wl,--no-warnings -o $@ $< $(B)/libweft.a

$(T)/sim_test: $(DEPS)
	@mkdir -p $(T)
	@$(CC) $(TFLAGS) -O2 -DWEFT_SIM $(REDZONE_$(ARCH)) $(INC) -I$(HERE)tests -o $@ $(SIMSRC)

$(T)/unit_asan $(T)/model_asan: $(T)/%_asan: $(DEPS)
	@mkdir -p $(T)
	@echo "  ASAN $*_test"
	@$(CC) $(TFLAGS) -fsanitize=address,undefined -fno-sanitize=alignment $(REDZONE_$(ARCH)) $(INC) -o $@ $(HERE)tests/$*_test.c $(TSRC)

$(T)/unit_tsan: $(DEPS)
	@mkdir -p $(T)
	@echo "  TSAN unit_test"
	@$(CC) $(TFLAGS) -fsanitize=thread $(REDZONE_$(ARCH)) $(INC) -o $@ $(HERE)tests/unit_test.c $(TSRC)

$(T)/unit_a64: $(DEPS)
	@mkdir -p $(T)
	@echo "  A64  unit_test"
	@$(CROSS)gcc $(TFLAGS) -DWEFT_NO_VALGRIND -static -w -I$(HERE)include -I$(HERE)src -I$(HERE)src/arch/aarch64 -o $@ $(HERE)tests/unit_test.c $(A64SRC)

$(T)/sim_a64: $(DEPS)
	@mkdir -p $(T)
	@$(CROSS)gcc $(TFLAGS) -DWEFT_NO_VALGRIND -DWEFT_SIM -static -w -I$(HERE)include -I$(HERE)src -I$(HERE)src/arch/aarch64 -I$(HERE)tests -o $@ $(patsubst %/arch/$(ARCH)/switch.S,%/arch/aarch64/switch.S,$(SIMSRC))

# What a guest runs, too.
programs: all $(T)/unit_test $(T)/unit_static $(T)/model_test $(T)/preload_prog

test: all $(PROGRAMS)
	@$(HERE)tests/run.sh $(HERE) $(B) quick

record: all $(PROGRAMS)
	@$(HERE)tests/run.sh $(HERE) $(B) record
