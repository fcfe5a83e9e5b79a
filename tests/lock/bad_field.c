/* A guarded field without its lock. */
#include <weft/mutex.h>

static DEFINE_MUTEX(lock);
static int counter __guarded_by(&lock);

int bad(void);
int bad(void)
{
	return counter++;
}
