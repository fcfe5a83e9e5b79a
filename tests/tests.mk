# `make check` is the inner loop, `make test` is everything; both end with the line "N passed, N failed".

-include tests/unit/unit.mk

check:
	@tools/deps.sh build run test lockcheck
	@tests/run.py check
test:
	@tools/deps.sh build run test lockcheck
	@tests/run.py test
