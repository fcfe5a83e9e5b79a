/*
 * ntp.c: adjtimex(2): bending the clock.
 *
 * What:    the frequency (ADJ_FREQUENCY, ADJ_TICK), slewing an offset at 500 ppm (adjtime(3), and ADJ_OFFSET, which is
 *          treated the same: no phase-locked loop), and the status that NTP daemons keep here.
 * Idea:    all of it becomes one number, the rate, by which timekeeping.c scales its multiplier.
 * Locking: timekeeper_lock for everything.
 * See:     adjtimex(2)
 */
#include <weft/kernel.h>
#include <weft/timekeeping.h>
#include <weft/jiffies.h>
#include <uapi/time.h>
#include "internal.h"

#define PPM_SHIFT	16			/* timex.freq: ppm with 16 bits of fraction */
#define MAX_FREQ	(500LL << PPM_SHIFT)
#define MAX_SLEW	500			/* us a second */
#define USER_TICK_USEC	(USEC_PER_SEC / USER_HZ)

static s64 time_freq;				/* ppm << 16 */
static long tick_usec = USER_TICK_USEC;
static s64 time_adjust;				/* us still to be slewed */
static s64 slew;				/* us of it in the current second */
static int time_status = STA_UNSYNC;
static long time_maxerror = 16000000, time_esterror = 16000000, time_constant = 2;

s64 ntp_rate(void)
{
	s64 ppm_fixed = time_freq + ((slew + (tick_usec - USER_TICK_USEC) * USER_HZ) << PPM_SHIFT);

	/* ppm << 16 to parts per 2^32: * 2^16 / 10^6 */
	return ppm_fixed * 65536 / 1000000;
}

void ntp_clear(void)
{
	time_adjust = slew = 0;
	time_status |= STA_UNSYNC;
	time_maxerror = time_esterror = 16000000;
}

void ntp_second(void)
{
	slew = clamp_t(s64, time_adjust, -MAX_SLEW, MAX_SLEW);
	time_adjust -= slew;
}

static void set_from(const struct __kernel_timex *txc, s32 *tai_offset)
{
	if (txc->modes & ADJ_STATUS)
		time_status = (time_status & STA_RONLY) | (txc->status & ~STA_RONLY);
	if (txc->modes & ADJ_FREQUENCY)
		time_freq = clamp_t(s64, txc->freq, -MAX_FREQ, MAX_FREQ);
	if (txc->modes & ADJ_MAXERROR)
		time_maxerror = (long)txc->maxerror;
	if (txc->modes & ADJ_ESTERROR)
		time_esterror = (long)txc->esterror;
	if (txc->modes & ADJ_TIMECONST)
		time_constant = clamp_t(long, (long)txc->constant, 0, 10);
	if (txc->modes & ADJ_NANO)
		time_status |= STA_NANO;
	if (txc->modes & ADJ_MICRO)
		time_status &= ~STA_NANO;
	if ((txc->modes & ADJ_TAI) && txc->constant >= 0)
		*tai_offset = (s32)txc->constant;
	if (txc->modes & ADJ_OFFSET)
		time_adjust = (time_status & STA_NANO) ? txc->offset / 1000 : txc->offset;
	if (txc->modes & ADJ_TICK)
		tick_usec = (long)txc->tick;
}

/* Changes what txc->modes names and fills in the rest.  The state of the clock: TIME_OK or TIME_ERROR. */
int ntp_adjust(struct __kernel_timex *txc, const struct timespec64 *now, s32 *tai_offset)
{
	if (txc->modes & ADJ_ADJTIME) {
		s64 left = time_adjust;

		if (!(txc->modes & ADJ_OFFSET_READONLY))
			time_adjust = txc->offset;
		txc->offset = left;
	} else {
		set_from(txc, tai_offset);
		txc->offset = (time_status & STA_NANO) ? time_adjust * 1000 : time_adjust;
	}
	txc->freq = time_freq;
	txc->maxerror = time_maxerror;
	txc->esterror = time_esterror;
	txc->status = time_status;
	txc->constant = time_constant;
	txc->precision = 1;
	txc->tolerance = MAX_FREQ;
	txc->tick = tick_usec;
	txc->tai = *tai_offset;
	txc->time.tv_sec = now->tv_sec;
	txc->time.tv_usec = (time_status & STA_NANO) ? now->tv_nsec : now->tv_nsec / 1000;
	return (time_status & STA_UNSYNC) ? TIME_ERROR : TIME_OK;
}
