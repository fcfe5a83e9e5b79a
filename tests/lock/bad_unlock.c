/* One way out keeps the lock. */
#include <weft/spinlock.h>

static DEFINE_SPINLOCK(lock);

int bad(int x);
int bad(int x)
{
	spin_lock(&lock);
	if (x)
		return 1;
	spin_unlock(&lock);
	return 0;
}
