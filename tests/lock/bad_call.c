/* A function that wants the lock, called without. */
#include <weft/spinlock.h>

static DEFINE_SPINLOCK(lock);

static void step(void) __must_hold(&lock) { }

void bad(void);
void bad(void)
{
	step();
}
