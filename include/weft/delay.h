/*
 * delay.h: waiting without sleeping (asm/delay.h) and with (timer.h: msleep()).
 */
#ifndef WEFT_DELAY_H
#define WEFT_DELAY_H
#include <weft/timer.h>
#include <asm/delay.h>
#endif
