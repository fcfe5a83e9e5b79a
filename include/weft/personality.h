#ifndef WEFT_PERSONALITY_H
#define WEFT_PERSONALITY_H

#include <uapi/personality.h>

#define personality(pers)	((pers) & PER_MASK)

#endif
