/* A writer's field changed by a reader. */
#include <weft/rwsem.h>

static DECLARE_RWSEM(sem);
static int table __guarded_by(&sem);

void bad(void);
void bad(void)
{
	down_read(&sem);
	table = 1;
	up_read(&sem);
}
