/*
 * kcmp.h: what kcmp(2) compares.
 */
#ifndef UAPI_KCMP_H
#define UAPI_KCMP_H

enum kcmp_type {
	KCMP_FILE,		/* open files, by descriptor */
	KCMP_VM,
	KCMP_FILES,		/* the tables of descriptors */
	KCMP_FS,
	KCMP_SIGHAND,
	KCMP_IO,
	KCMP_SYSVSEM,
	KCMP_EPOLL_TFD,
	KCMP_TYPES,
};

/* KCMP_EPOLL_TFD's second object: what epoll descriptor efd watches as tfd, the toff-th of that number. */
struct kcmp_epoll_slot {
	unsigned int efd, tfd, toff;
};

#endif
