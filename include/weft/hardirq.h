/* hardirq.h: in which context are we: see preempt.h. */
#ifndef WEFT_HARDIRQ_H
#define WEFT_HARDIRQ_H
#include <weft/preempt.h>
#endif
