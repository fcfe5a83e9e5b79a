/*
 * ntp.c: adjtimex(2): bending the clock.
 *
 * What:    the frequency (ADJ_FREQUENCY, ADJ_TICK), slewing an offset at 500 ppm (adjtime(3)), the loop that brings an
 *          offset to nothing and learns the frequency from it (STA_PLL with ADJ_OFFSET; STA_FLL for rare updates), leap
 *          seconds at the end of a day (STA_INS, STA_DEL), and what NTP daemons keep here.
 * Idea:    all but leap seconds becomes one number, the rate, by which timekeeping.c scales its multiplier; it changes
 *          once a second.  Of an offset, each second takes off the part 2^-(2 + time constant).
 * Leap:    OK --STA_INS--> INS --midnight: a second back--> OOP --a second later--> WAIT --flag cleared--> OK
 *             --STA_DEL--> DEL --23:59:59: a second ahead--------------------------> WAIT
 * Locking: timekeeper_lock for everything.
 * See:     adjtimex(2); RFC 1589, RFC 5905 §11.3 (the loop)
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
#define MAX_ERROR	16000000L		/* us: nothing is known of the clock */
#define ERROR_GROWTH	500			/* us a second: the worst frequency */
#define MAX_PHASE	(NSEC_PER_SEC / 2)	/* ns: further off the loop does not help */
#define MAX_TIMECONST	10
#define PLL_SHIFT	2			/* the loop's gain, beside the time constant */
#define FLL_SHIFT	2
#define FLL_MIN_SECONDS	256			/* between updates: from here on the frequency can be had by division */
#define FLL_SECONDS	2048			/* ... and from here on it is, unasked */
#define SECONDS_PER_DAY	86400

static s64 time_freq;				/* ppm << 16 */
static long tick_usec = USER_TICK_USEC;
static s64 time_adjust;				/* us still to be slewed */
static s64 slew;				/* us of it in the current second */
static s64 time_offset;				/* ns still to be taken off by the loop */
static s64 phase;				/* ns of it in the current second */
static s64 last_update;				/* second of the loop's last ADJ_OFFSET */
static int time_status = STA_UNSYNC;
static int time_state = TIME_OK;
static s64 leap_second;				/* the second at which it is inserted or left out */
static long time_maxerror = MAX_ERROR, time_esterror = MAX_ERROR, time_constant = 2;

s64 ntp_rate(void)
{
	s64 ppm_fixed = time_freq + ((slew + (tick_usec - USER_TICK_USEC) * USER_HZ) << PPM_SHIFT);

	ppm_fixed += (phase << PPM_SHIFT) / 1000;

	/* ppm << 16 to parts per 2^32: * 2^16 / 10^6 */
	return ppm_fixed * 65536 / 1000000;
}

void ntp_clear(void)
{
	time_adjust = slew = 0;
	time_offset = phase = 0;
	time_status |= STA_UNSYNC;
	time_maxerror = time_esterror = MAX_ERROR;
	if (time_state == TIME_INS || time_state == TIME_DEL)
		time_state = TIME_OK;		/* which midnight that was to be is open again */
}

/* ---- each second ---- */

/* By how much the clock is to jump: -1, 0, 1. */
static int leap(s64 now)
{
	const int wanted = time_status & (STA_INS | STA_DEL);

	switch (time_state) {
	case TIME_OK:
		if (!wanted)
			break;
		time_state = wanted & STA_INS ? TIME_INS : TIME_DEL;
		leap_second = now - now % SECONDS_PER_DAY + SECONDS_PER_DAY - (time_state == TIME_DEL);
		break;
	case TIME_INS:
	case TIME_DEL:
		if (!(wanted & (time_state == TIME_INS ? STA_INS : STA_DEL))) {
			time_state = TIME_OK;
		} else if (now >= leap_second) {
			const int by = time_state == TIME_INS ? -1 : 1;

			time_state = by < 0 ? TIME_OOP : TIME_WAIT;
			pr_notice("clock: a leap second is %s\n", by < 0 ? "inserted" : "left out");
			return by;
		}
		break;
	case TIME_OOP:
		time_state = TIME_WAIT;
		break;
	case TIME_WAIT:
		if (!wanted)
			time_state = TIME_OK;
	}
	return 0;
}

int ntp_second(s64 now, s64 seconds)
{
	/* What was meant for one second has worked for all of them; too much is taken back from now on. */
	time_adjust -= slew * (seconds - 1);
	time_offset -= phase * (seconds - 1);
	slew = clamp_t(s64, time_adjust, -MAX_SLEW, MAX_SLEW);
	time_adjust -= slew;
	phase = time_offset / (1LL << (PLL_SHIFT + time_constant));
	time_offset -= phase;
	time_maxerror += ERROR_GROWTH * seconds;
	if (time_maxerror > MAX_ERROR) {
		time_maxerror = MAX_ERROR;
		time_status |= STA_UNSYNC;
	}
	return leap(now);
}

/* ---- adjtimex ---- */

/* The frequency by which the clock must have been wrong to be `offset` ns off after `seconds`: ppm << 16. */
static s64 learned_frequency(s64 offset, s64 seconds)
{
	const s64 limit = 1LL << (PLL_SHIFT + 1 + time_constant);
	s64 freq = 0;

	time_status &= ~STA_MODE;
	if (seconds >= FLL_MIN_SECONDS && (time_status & STA_FLL || seconds > FLL_SECONDS)) {
		time_status |= STA_MODE;
		freq = (offset << (PPM_SHIFT - FLL_SHIFT)) / (seconds * 1000);
	}
	/* ns a second, divided by (4 * 2^constant)^2 seconds */
	return freq + (offset * min(seconds, limit) * (1 << PPM_SHIFT)) / (1000LL << 2 * (PLL_SHIFT + 2 + time_constant));
}

/* ADJ_OFFSET: so far off the clock is now.  Without the loop nobody follows it. */
static void update_offset(s64 offset, s64 now)
{
	if (!(time_status & STA_PLL))
		return;
	if (!(time_status & STA_NANO))
		offset = clamp_t(s64, offset, -USEC_PER_SEC, USEC_PER_SEC) * NSEC_PER_USEC;
	offset = clamp_t(s64, offset, -MAX_PHASE, MAX_PHASE);
	time_freq = clamp_t(s64, time_freq + learned_frequency(offset, time_status & STA_FREQHOLD ? 0 : now - last_update),
			    -MAX_FREQ, MAX_FREQ);
	last_update = now;
	time_offset = offset;
}

static void set_status(int status, s64 now)
{
	if ((time_status & STA_PLL) && !(status & STA_PLL)) {
		time_state = TIME_OK;
		time_status = 0;		/* STA_NANO, too */
	}
	if (!(time_status & STA_PLL) && (status & STA_PLL))
		last_update = now;
	time_status = (time_status & STA_RONLY) | (status & ~STA_RONLY);
}

static void set_from(const struct __kernel_timex *txc, s64 now, s32 *tai_offset)
{
	if (txc->modes & ADJ_STATUS)
		set_status(txc->status, now);
	if (txc->modes & ADJ_NANO)
		time_status |= STA_NANO;
	if (txc->modes & ADJ_MICRO)
		time_status &= ~STA_NANO;
	if (txc->modes & ADJ_FREQUENCY)
		time_freq = clamp_t(s64, txc->freq, -MAX_FREQ, MAX_FREQ);
	if (txc->modes & ADJ_MAXERROR)
		time_maxerror = (long)txc->maxerror;
	if (txc->modes & ADJ_ESTERROR)
		time_esterror = (long)txc->esterror;
	if (txc->modes & ADJ_TIMECONST)		/* daemons that count in microseconds count the constant from 4 */
		time_constant = clamp_t(long, (long)txc->constant + (time_status & STA_NANO ? 0 : 4), 0, MAX_TIMECONST);
	if ((txc->modes & ADJ_TAI) && txc->constant >= 0)
		*tai_offset = (s32)txc->constant;
	if (txc->modes & ADJ_OFFSET)
		update_offset(txc->offset, now);
	if (txc->modes & ADJ_TICK)
		tick_usec = (long)txc->tick;
}

/* Changes what txc->modes names and fills in the rest.  The state of the clock: TIME_*. */
int ntp_adjust(struct __kernel_timex *txc, const struct timespec64 *now, s32 *tai_offset)
{
	if (txc->modes & ADJ_ADJTIME) {
		s64 left = time_adjust;

		if (!(txc->modes & ADJ_OFFSET_READONLY))
			time_adjust = txc->offset;
		txc->offset = left;
	} else {
		set_from(txc, now->tv_sec, tai_offset);
		txc->offset = (time_status & STA_NANO) ? time_offset : time_offset / NSEC_PER_USEC;
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
	return (time_status & (STA_UNSYNC | STA_CLOCKERR)) ? TIME_ERROR : time_state;
}
