/*
 * getname.c: path names on their way from user memory into the kernel.
 *
 * Idea:    most names are short: those go into a buffer on the caller's stack (getname_short), which costs no allocation.
 *          Others get PATH_MAX bytes from a cache.  A name on the stack has refcnt 0: putname() leaves it alone.
 * See:     path_resolution(7)
 */
#include <weft/kernel.h>
#include <weft/fs.h>
#include <weft/slab.h>
#include <weft/string.h>
#include <weft/uaccess.h>
#include <weft/namei.h>
#include "internal.h"

struct kmem_cache *names_cachep;

/* An empty name counts only with LOOKUP_EMPTY, or when the caller wants to be told. */
static int check_empty(int flags, int *empty)
{
	if (empty)
		*empty = 1;
	return flags & LOOKUP_EMPTY ? 0 : -ENOENT;
}

struct filename *getname_flags(const char __user *uname, int flags, int *empty)
{
	struct filename *name = __getname();
	char *text;
	long len;

	if (unlikely(!name))
		return ERR_PTR(-ENOMEM);
	text = (char *)name->iname;
	len = strncpy_from_user(text, uname, EMBEDDED_NAME_MAX);
	if (unlikely(len < 0))
		goto fail;
	if (unlikely(len == EMBEDDED_NAME_MAX)) {
		/* Too long to share a page with the structure: names of up to PATH_MAX - 1 are allowed all the same. */
		struct filename *head = kzalloc(sizeof(*head), GFP_KERNEL);

		if (!head) {
			len = -ENOMEM;
			goto fail;
		}
		text = (char *)name;
		len = strncpy_from_user(text, uname, PATH_MAX);
		if (len < 0 || len == PATH_MAX) {
			kfree(head);
			len = len < 0 ? len : -ENAMETOOLONG;
			goto fail;
		}
		name = head;
	}
	name->name = text;
	name->uptr = uname;
	name->refcnt = 1;
	if (unlikely(!len)) {
		len = check_empty(flags, empty);
		if (len) {
			putname(name);
			return ERR_PTR(len);
		}
	}
	return name;

fail:
	__putname(name);
	return ERR_PTR(len);
}

struct filename *getname(const char __user *uname)
{
	return getname_flags(uname, 0, NULL);
}

struct filename *getname_short(const char __user *uname, int flags, struct short_name *room)
{
	long len = strncpy_from_user(room->buf, uname, SHORT_NAME_LEN);

	if (unlikely(len < 0))
		return ERR_PTR(len);
	if (unlikely(len == SHORT_NAME_LEN))
		return getname_flags(uname, flags, NULL);
	if (unlikely(!len && !(flags & LOOKUP_EMPTY)))
		return ERR_PTR(-ENOENT);
	room->filename.name = room->buf;
	room->filename.uptr = uname;
	room->filename.refcnt = 0;
	return &room->filename;
}

struct filename *getname_kernel(const char *text)
{
	size_t len = strlen(text) + 1;
	struct filename *name;

	if (len > PATH_MAX)
		return ERR_PTR(-ENAMETOOLONG);
	name = __getname();
	if (!name)
		return ERR_PTR(-ENOMEM);
	if (len > EMBEDDED_NAME_MAX) {
		struct filename *head = kzalloc(sizeof(*head), GFP_KERNEL);

		if (!head) {
			__putname(name);
			return ERR_PTR(-ENOMEM);
		}
		head->name = (char *)name;
		name = head;
	} else {
		name->name = (char *)name->iname;
	}
	memcpy((char *)name->name, text, len);
	name->uptr = NULL;
	name->refcnt = 1;
	return name;
}

void putname(struct filename *name)
{
	if (IS_ERR_OR_NULL(name) || !name->refcnt || --name->refcnt)
		return;
	if (likely(name->name == name->iname)) {
		__putname(name);
		return;
	}
	__putname(name->name);
	kfree(name);
}
