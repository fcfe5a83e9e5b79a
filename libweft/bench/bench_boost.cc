// bench_boost.cc: the same rows by Boost.Context (fcontext) and Boost.Fiber.
//
// What:  bench_boost context prints the bare switch; without an argument the rows of Boost.Fiber (N:1).
// Idea:  fcontext is the fastest switch in Debian, hence the limit for weft_coro_resume.
// See:   bench_weft.c for what the rows mean.
#include <boost/context/detail/fcontext.hpp>
#include <boost/fiber/all.hpp>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
using namespace boost;
static double now() { return std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now().time_since_epoch()).count(); }
static void other(context::detail::transfer_t t) { for (;;) t = context::detail::jump_fcontext(t.fctx, t.data); }
int main(int argc, char **argv)
{
	long n = 5000000;
	if (argc > 1 && !strcmp(argv[1], "context")) {
		char *s = (char *)malloc(65536);
		context::detail::transfer_t t{ context::detail::make_fcontext(s + 65536, 65536, other), nullptr };
		double t0 = now();
		for (long i = 0; i < n; i++) t = context::detail::jump_fcontext(t.fctx, nullptr);
		printf("coroutine\t%.2f\n", (now() - t0) / (2 * n));
		return 0;
	}
	n = 1000000;
	double t0 = now();
	auto y = [n] { for (long i = 0; i < n; i++) this_fiber::yield(); };
	fibers::fiber a(y), b(y);
	a.join(); b.join();
	printf("yield\t%.2f\n", (now() - t0) / (2 * n));
	t0 = now();
	for (long i = 0; i < n / 4; i++) { fibers::fiber f([] {}); f.join(); }
	printf("create\t%.2f\n", (now() - t0) / (n / 4));
	fibers::unbuffered_channel<long> c1, c2;
	t0 = now();
	fibers::fiber p([&] { long v; for (long i = 0; i < n / 4; i++) { c1.pop(v); c2.push(v); } });
	for (long i = 0; i < n / 4; i++) { long v = i; c1.push(v); c2.pop(v); }
	p.join();
	printf("channel\t%.2f\n", (now() - t0) / (2 * (n / 4)));
	fibers::mutex m;
	t0 = now();
	auto h = [&] { for (long i = 0; i < n / 4; i++) { m.lock(); this_fiber::yield(); m.unlock(); } };
	fibers::fiber q(h), r(h);
	q.join(); r.join();
	printf("mutex\t%.2f\n", (now() - t0) / (2 * (n / 4)));
	return 0;
}
