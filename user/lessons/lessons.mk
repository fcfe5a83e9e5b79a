# `make lessons`: the programs of user/lessons, static, in build/lessons/.  In the guest they are /lessons.

LESSONS := $(patsubst user/lessons/%.c,build/lessons/%,$(sort $(wildcard user/lessons/*.c)))

.PHONY: lessons
lessons: $(LESSONS)

$(LESSONS): build/lessons/%: user/lessons/%.c $(wildcard user/lessons/*.h)
	@mkdir -p $(@D)
	@echo "  LESSON $*"
	@gcc -std=gnu11 -O2 -g0 -static -Wall -Wextra -Wshadow -Werror $(or $(LESSON_$*_FLAGS),-pthread) -o $@ $<

# 32 bits, and no C library: see there.
LESSON_segmentation_FLAGS := -m32 -march=i686 -ffreestanding -nostdlib -fno-pic -no-pie -fno-stack-protector \
                             -fcf-protection=none
