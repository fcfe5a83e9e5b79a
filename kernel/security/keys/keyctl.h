/*
 * keyctl.h: what the two files of keyctl(2) share.
 *
 * See:     keyctl(2)
 */
#ifndef KEYS_KEYCTL_H
#define KEYS_KEYCTL_H

#include "internal.h"

#define KEY_PAYLOAD_MAX	(1024 * 1024 - 1)

void *copy_key_payload(const void __user *upayload, size_t len);
void free_key_payload(void *payload, size_t len);
long keyctl_answer(int cmd, key_serial_t id, unsigned long arg3, unsigned long arg4, unsigned long arg5);

#endif
