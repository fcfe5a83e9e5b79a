/*
 * host.c: the only file that sees the C library: memory, output, and its snprintf for comparison.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

int unit_run_all(int *passed);

int host_vsnprintf(char *buf, size_t size, const char *fmt, va_list args) { return vsnprintf(buf, size, fmt, args); }
void *host_alloc(size_t size) { return malloc(size); }
void host_free(void *p) { free(p); }
void host_print(const char *text) { fputs(text, stdout); fflush(stdout); }
void host_abort(void) { abort(); }

int main(void)
{
	int passed, failed = unit_run_all(&passed);

	printf("%d passed, %d failed\n", passed, failed);
	return failed != 0;
}
