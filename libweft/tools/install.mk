# install.mk: manual pages, pkg-config file, make install.
$(B)/man/.done: $(HERE)include/weft/thread.h $(HERE)tools/mkman.py
	@python3 $(HERE)tools/mkman.py $< $(B)/man
	@touch $@

$(B)/weft.pc: $(HERE)tools/install.mk
	@mkdir -p $(B)
	@printf '%s\n' 'prefix=$(PREFIX)' 'libdir=$${prefix}/lib' 'includedir=$${prefix}/include' '' 'Name: weft' \
	  'Description: user-level threads, three models under one interface' 'Version: $(VERSION)' \
	  'Libs: -L$${libdir} -lweft' 'Libs.private: -pthread -ldl' 'Cflags: -I$${includedir}' > $@

all: $(B)/man/.done $(B)/weft.pc

D := $(DESTDIR)$(PREFIX)
install: all
	@install -d $(D)/include/weft $(D)/lib/pkgconfig $(D)/share/man/man3 $(D)/share/weft
	@install -m 644 $(HERE)include/weft/thread.h $(D)/include/weft/
	@install -m 644 $(B)/libweft.a $(D)/lib/
	@install -m 755 $(B)/libweft.so.1 $(B)/libweft-preload.so $(D)/lib/
	@ln -sf libweft.so.1 $(D)/lib/libweft.so
	@sed 's|^prefix=.*|prefix=$(PREFIX)|' $(B)/weft.pc > $(D)/lib/pkgconfig/weft.pc
	@install -m 644 $(B)/man/*.3 $(D)/share/man/man3/
	@install -m 644 $(HERE)tools/weft-gdb.py $(D)/share/weft/
	@echo "libweft $(VERSION) installed in $(D)"
