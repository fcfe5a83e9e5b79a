/* debug_locks.h: see lockdep.h. */
#ifndef WEFT_DEBUG_LOCKS_H
#define WEFT_DEBUG_LOCKS_H
#include <weft/lockdep.h>
#endif
