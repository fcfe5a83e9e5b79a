/* Taken again by its holder. */
#include <weft/mutex.h>

static DEFINE_MUTEX(lock);

void bad(void);
void bad(void)
{
	mutex_lock(&lock);
	mutex_lock(&lock);
	mutex_unlock(&lock);
}
