# The core without nginx, and the programs of one folder over it:
#
#   make -f t/lib/core.mk ROOT= OUT= SOURCES="...c" CC= OPT= LIBS=

CFLAGS = -std=gnu11 -g -Wall -Wextra -Werror -Wundef -Wmissing-prototypes \
	-Wno-unused-parameter -ffp-contract=off -D_GNU_SOURCE \
	-I $(ROOT)/src/core -MMD -MP $(OPT)

CORE = $(patsubst $(ROOT)/src/core/%.c,$(OUT)/core/%.o, \
	$(wildcard $(ROOT)/src/core/*.c))

all: $(patsubst %.c,$(OUT)/%,$(notdir $(SOURCES)))

$(OUT)/core/%.o: $(ROOT)/src/core/%.c
	@mkdir -p $(OUT)/core
	$(CC) $(CFLAGS) -c -o $@ $<

define program
$(OUT)/$(notdir $(1:.c=)): $(1) $$(CORE)
	$$(CC) $$(CFLAGS) $$(PROGRAM) -o $$@ $$< $$(CORE) $$(LIBS)
endef

$(foreach source,$(SOURCES),$(eval $(call program,$(source))))

-include $(wildcard $(OUT)/*.d $(OUT)/core/*.d)

.PHONY: all
