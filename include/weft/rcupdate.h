/* rcupdate.h: see rcu.h. */
#ifndef WEFT_RCUPDATE_H
#define WEFT_RCUPDATE_H
#include <weft/rcu.h>
#endif
