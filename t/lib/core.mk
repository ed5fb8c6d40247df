# The core and the store without nginx, and the programs of one folder over
# them:
#
#   make -f t/lib/core.mk ROOT= OUT= SOURCES="...c" CC= OPT= LIBS=

CFLAGS = -std=gnu11 -g -Wall -Wextra -Werror -Wundef -Wmissing-prototypes \
	-Wno-unused-parameter -ffp-contract=off -D_GNU_SOURCE \
	-I $(ROOT)/src/core -I $(ROOT)/src/store -I $(OUT) -MMD -MP $(OPT)

# hiredis with TLS, as config would find it

ifneq ($(wildcard /usr/include/hiredis/hiredis_ssl.h),)
CFLAGS += -DTROVE_REDIS_TLS=1
LIBS += -lhiredis_ssl -lssl -lcrypto
endif

CORE = $(patsubst $(ROOT)/src/%.c,$(OUT)/%.o, \
	$(wildcard $(ROOT)/src/core/*.c $(ROOT)/src/store/*.c))

all: $(patsubst %.c,$(OUT)/%,$(notdir $(SOURCES)))

$(CORE): $(OUT)/%.o: $(ROOT)/src/%.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -c -o $@ $<

$(OUT)/store/trove_redis.o: $(OUT)/trove_redis_script.h

$(OUT)/store/trove_overflow.o: $(OUT)/trove_overflow_script.h

$(OUT)/%_script.h: $(ROOT)/src/store/%.lua $(ROOT)/src/store/build
	$(ROOT)/src/store/build $@

define program
$(OUT)/$(notdir $(1:.c=)): $(1) $$(CORE)
	$$(CC) $$(CFLAGS) $$(PROGRAM) -o $$@ $$< $$(CORE) $$(LIBS)
endef

$(foreach source,$(SOURCES),$(eval $(call program,$(source))))

-include $(wildcard $(OUT)/*.d $(OUT)/core/*.d $(OUT)/store/*.d)

.PHONY: all
