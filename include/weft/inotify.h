/*
 * inotify.h: the limits of inotify that /proc/sys/fs/inotify shows.
 */
#ifndef WEFT_INOTIFY_H
#define WEFT_INOTIFY_H

#include <uapi/inotify.h>

extern int inotify_max_user_instances, inotify_max_user_watches, inotify_max_queued_events;

#endif
