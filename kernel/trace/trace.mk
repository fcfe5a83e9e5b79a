# The trace events' header and table, from the tables of all folders.  Included by kernel/build.mk.
TRACE_TBL := $(sort $(wildcard kernel/trace/events/*.tbl))
TRACE_GEN := $(O)/generated/generated/trace_events.h $(O)/generated/generated/trace_table.h
GENERATED += $(O)/generated/.trace_stamp

# The stamp is newer than the tables; the files themselves change only when their text does, so little is rebuilt.
$(O)/generated/.trace_stamp: tools/gen_trace.py $(TRACE_TBL)
	@mkdir -p $(@D)
	@$(PYTHON) tools/gen_trace.py $(TRACE_GEN) $(TRACE_TBL)
	@touch $@
$(TRACE_GEN): $(O)/generated/.trace_stamp ;
