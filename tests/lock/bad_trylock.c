/* Released although the trylock may have failed. */
#include <weft/spinlock.h>

static DEFINE_SPINLOCK(lock);

void bad(void);
void bad(void)
{
	spin_trylock(&lock);
	spin_unlock(&lock);
}
