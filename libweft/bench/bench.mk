# bench.mk: the benchmark programs; run.py alternates them and writes bench/RESULT.md and bench/result.svg.
BB := $(B)/bench
bench: all
	@mkdir -p $(BB)
	@$(TOOLS) peers || true
	@$(CC) -O2 -I$(HERE)include -o $(BB)/weft $(HERE)bench/bench_weft.c $(B)/libweft.a -pthread -ldl
	@$(CC) -O2 -I$(HERE)include -o $(BB)/echo $(HERE)bench/echo.c $(B)/libweft.a -pthread -ldl
	@$(CC) -O2 -o $(BB)/libc $(HERE)bench/bench_libc.c -pthread
	-@$(CC) -O2 -o $(BB)/st $(HERE)bench/bench_st.c -lst
	-@$(CC) -O2 -o $(BB)/pth $(HERE)bench/bench_pth.c -lpth
	-@g++ -O2 -o $(BB)/boost $(HERE)bench/bench_boost.cc -lboost_fiber -lboost_context -pthread
	-@cd $(HERE)bench && GOCACHE=$(BB)/gocache go build -o $(BB)/go bench_go.go
	@python3 $(HERE)bench/run.py $(BB) $(HERE)bench $(ROUNDS)
