# `make check` is the inner loop, `make test` is everything; both end with the line "N passed, N failed".

-include tests/unit/unit.mk

check:
	@tools/deps.sh build run test lockcheck
	@tests/run.py check
test:
	@tools/deps.sh build run test lockcheck debian libweft
	@tests/run.py test
# Debian's own programs, and Python's own tests: minutes of emulation each.
.PHONY: test-debian test-python
test-debian:
	@tests/run.py debian
test-python:
	@tests/run.py python
# liburing's own tests, on an ext4 disk: about ten minutes.
.PHONY: test-liburing
test-liburing:
	@tools/deps.sh build run test
	@$(MAKE) --no-print-directory -s $(O)/weft.elf $(O)/root.cpio
	@tests/liburing.py --kernel $(O)/weft.elf
# Three nodes, and Debian's numactl to look at them: a minute or two.
.PHONY: test-numa
test-numa:
	@tools/deps.sh build run test numa
	@$(MAKE) --no-print-directory -s $(O)/weft.elf
	@tests/numa.py $(O)/weft.elf
# The long record (about 15 minutes): 10 minutes of storms and stress-ng in the checking kernel on 4 CPUs.
.PHONY: stress
stress:
	@tools/deps.sh build run test libweft
	@tests/run.py stress
# stress-ng's whole classes, 10 seconds a stressor, in the checking kernel on 4 CPUs: an hour.
.PHONY: stressng
stressng:
	@tools/deps.sh build run test
	@tests/run.py stressng
# Weft builds itself, on Debian's disk, and what it built boots: an hour or two of emulation.
.PHONY: selfhost
selfhost:
	@tools/deps.sh build run debian test
	@$(MAKE) --no-print-directory -s $(O)/weft.elf $(O)/root.cpio $(O)/debian.img
	@tools/selfhost.sh $(O)/weft.elf $(O)/debian.img
# dbench, fio and stress-ng's `filesystem` and `io` on an ext4 disk of Debian's, checking kernel, 2 and 4 CPUs: an hour.
.PHONY: disk-record
disk-record:
	@tools/deps.sh build run debian test
	@$(MAKE) --no-print-directory -s DEBUG=1 O=build/debug build/debug/weft.elf
	@$(MAKE) --no-print-directory -s $(O)/debian.img
	@tests/disk/record.py --image $(O)/debian.img
