/* bottom_half.h: local_bh_disable() and local_bh_enable(): see preempt.h. */
#ifndef WEFT_BOTTOM_HALF_H
#define WEFT_BOTTOM_HALF_H
#include <weft/preempt.h>
#endif
