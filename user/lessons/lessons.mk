# `make lessons`: the programs of user/lessons, static, in build/lessons/.  In the guest they are /lessons.

LESSONS := $(patsubst user/lessons/%.c,build/lessons/%,$(sort $(wildcard user/lessons/*.c)))

.PHONY: lessons
lessons: $(LESSONS)

$(LESSONS): build/lessons/%: user/lessons/%.c $(wildcard user/lessons/*.h)
	@mkdir -p $(@D)
	@echo "  LESSON $*"
	@gcc -std=gnu11 -O2 -g0 -static -pthread -Wall -Wextra -Wshadow -Werror -o $@ $<
