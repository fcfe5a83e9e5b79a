# examples.mk: the lessons of seed 003 and 000 as programs; each ends with status 0 when the lesson was seen.
EXAMPLES := $(patsubst $(HERE)examples/%.c,$(B)/examples/%,$(wildcard $(HERE)examples/*.c))
$(B)/examples/%: $(HERE)examples/%.c $(B)/libweft.a
	@mkdir -p $(@D)
	@$(CC) -std=gnu11 -O2 -g -Wall -Werror -I$(HERE)include -o $@ $< $(B)/libweft.a -pthread -ldl
all: $(EXAMPLES)
