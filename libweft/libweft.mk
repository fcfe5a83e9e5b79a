# libweft.mk: libweft's targets for the top Makefile.  Everything happens in libweft/Makefile, so that nothing here can
# disturb the kernel's build; objects go to build/libweft/.
.PHONY: libweft libweft-programs libweft-test libweft-record bench-threads install-libweft

libweft:
	@$(MAKE) --no-print-directory -C libweft all

libweft-programs:
	@$(MAKE) --no-print-directory -C libweft programs

libweft-test:
	@$(MAKE) --no-print-directory -C libweft test

libweft-record:
	@$(MAKE) --no-print-directory -C libweft record

bench-threads:
	@$(MAKE) --no-print-directory -C libweft bench

install-libweft:
	@$(MAKE) --no-print-directory -C libweft install
