/*
 * uapi/rtc.h: the real-time clock device (Linux ABI).  See rtc(4).
 */
#ifndef UAPI_RTC_H
#define UAPI_RTC_H

#include <uapi/ioctl.h>

struct rtc_time {
	int tm_sec, tm_min, tm_hour, tm_mday, tm_mon, tm_year, tm_wday, tm_yday, tm_isdst;
};

#define RTC_RD_TIME	_IOR('p', 0x09, struct rtc_time)
#define RTC_SET_TIME	_IOW('p', 0x0a, struct rtc_time)

#endif
