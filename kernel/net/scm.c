/*
 * scm.c: control messages of sendmsg and recvmsg: files (SCM_RIGHTS) and credentials (SCM_CREDENTIALS).
 *
 * Idea:    sending turns descriptors into references on files at once, so it does not matter what the sender closes later;
 *          receiving gives each file a new descriptor, as far as the receiver left room.
 * See:     cmsg(3), unix(7)
 */
#include <weft/kernel.h>
#include <weft/compat.h>
#include <weft/slab.h>
#include <weft/string.h>
#include <weft/file.h>
#include <weft/io_uring.h>
#include <weft/uaccess.h>
#include <weft/pid_namespace.h>
#include <weft/cred.h>
#include "internal.h"

/* ---- sending ---- */

static int copy_fds(const struct cmsghdr *cmsg, struct scm_fp_list **fplp)
{
	size_t num = (cmsg->cmsg_len - sizeof(*cmsg)) / sizeof(int);
	const int *fds = (const int *)(cmsg + 1);
	struct scm_fp_list *fpl = *fplp;

	if (!num)
		return 0;
	if (num > SCM_MAX_FD)
		return -EINVAL;
	if (!fpl) {
		fpl = kzalloc(sizeof(*fpl), GFP_KERNEL);
		if (!fpl)
			return -ENOMEM;
		fpl->user = get_uid(current_user());
		*fplp = fpl;
	}
	if (fpl->count + num > SCM_MAX_FD)
		return -EINVAL;
	for (size_t i = 0; i < num; i++) {
		struct file *file = fds[i] < 0 ? NULL : fget_raw(fds[i]);

		if (!file)
			return -EBADF;
		if (file_is_io_uring(file)) {	/* it may hold sockets, in which it would be in flight: a cycle of references */
			fput(file);
			return -EINVAL;
		}
		fpl->fp[fpl->count++] = file;
	}
	return 0;
}

/* May the caller say that it is this user? */
static bool creds_allowed(const struct ucred *c, kuid_t uid, kgid_t gid)
{
	const struct cred *cred = current_cred();
	const struct user_namespace *ns = cred->user_ns;

	return (c->pid == (u32)task_tgid_vnr(current) || ns_capable(task_active_pid_ns(current)->user_ns, CAP_SYS_ADMIN)) &&
	       (uid == cred->uid || uid == cred->euid || uid == cred->suid || ns_capable(ns, CAP_SETUID)) &&
	       (gid == cred->gid || gid == cred->egid || gid == cred->sgid || ns_capable(ns, CAP_SETGID));
}

static int copy_creds_msg(const struct cmsghdr *cmsg, struct scm_cookie *scm)
{
	struct ucred c;
	struct pid *pid;
	kuid_t uid;
	kgid_t gid;

	if (cmsg->cmsg_len != CMSG_LEN(sizeof(c)))
		return -EINVAL;
	memcpy(&c, cmsg + 1, sizeof(c));
	uid = make_kuid(current_user_ns(), c.uid);
	gid = make_kgid(current_user_ns(), c.gid);
	if (!uid_valid(uid) || !gid_valid(gid))
		return -EINVAL;
	if (!creds_allowed(&c, uid, gid))
		return -EPERM;
	pid = find_get_pid(c.pid);
	if (!pid)
		return -ESRCH;
	put_pid(scm->pid);
	scm->pid = pid;
	scm->uid = uid;
	scm->gid = gid;
	return 0;
}

int scm_send(struct msghdr *msg, struct scm_cookie *scm)
{
	const u8 *p = msg->msg_control_kern, *end = p + msg->msg_controllen;
	int err = 0;

	*scm = (struct scm_cookie){ .uid = INVALID_UID, .gid = INVALID_GID };
	while (!err && (size_t)(end - p) >= sizeof(struct cmsghdr)) {
		const struct cmsghdr *cmsg = (const struct cmsghdr *)p;

		if (cmsg->cmsg_len < sizeof(*cmsg) || cmsg->cmsg_len > (size_t)(end - p))
			err = -EINVAL;
		else if (cmsg->cmsg_level != SOL_SOCKET)
			;	/* another level's: not for us */
		else if (cmsg->cmsg_type == SCM_RIGHTS)
			err = copy_fds(cmsg, &scm->fp);
		else if (cmsg->cmsg_type == SCM_CREDENTIALS)
			err = copy_creds_msg(cmsg, scm);
		else
			err = -EINVAL;
		if (err || CMSG_ALIGN(cmsg->cmsg_len) > (size_t)(end - p))
			break;
		p += CMSG_ALIGN(cmsg->cmsg_len);
	}
	if (!err && scm->fp && !scm->fp->count) {
		scm_fp_free(scm->fp);
		scm->fp = NULL;
	}
	if (err)
		scm_destroy(scm);
	return err;
}

void scm_fp_free(struct scm_fp_list *fpl)
{
	if (!fpl)
		return;
	for (int i = 0; i < fpl->count; i++)
		fput(fpl->fp[i]);
	free_uid(fpl->user);
	kfree(fpl);
}

struct scm_fp_list *scm_fp_dup(struct scm_fp_list *fpl)
{
	struct scm_fp_list *new = kmalloc(sizeof(*new), GFP_KERNEL);

	if (!new)
		return NULL;
	*new = *fpl;
	get_uid(new->user);
	for (int i = 0; i < new->count; i++)
		get_file(new->fp[i]);
	return new;
}

void scm_destroy(struct scm_cookie *scm)
{
	put_pid(scm->pid);
	scm->pid = NULL;
	scm_fp_free(scm->fp);
	scm->fp = NULL;
}

/*
 * The headers of 32-bit messages are 4 bytes shorter and the data starts earlier, so the whole is copied message by message.
 * Each needs at most 8 bytes more here: header and alignment.
 */
int cmsg_from_compat(void __user *control, size_t len, struct msghdr *msg)
{
	size_t in = 0, out = 0;
	struct compat_cmsghdr c;
	u8 *buf = kzalloc(len / sizeof(c) * 8 + len + 8, GFP_KERNEL);
	int err = 0;

	if (!buf)
		return -ENOMEM;
	while (!err && len - in >= sizeof(c)) {
		struct cmsghdr *h = (struct cmsghdr *)(buf + out);

		err = copy_from_user(&c, control + in, sizeof(c)) ? -EFAULT : 0;
		if (!err && (c.cmsg_len < sizeof(c) || c.cmsg_len > len - in))
			err = -EINVAL;
		if (err)
			break;
		*h = (struct cmsghdr){ CMSG_LEN(c.cmsg_len - sizeof(c)), c.cmsg_level, c.cmsg_type };
		if (copy_from_user(h + 1, control + in + sizeof(c), c.cmsg_len - sizeof(c)))
			err = -EFAULT;
		out += CMSG_ALIGN(h->cmsg_len);
		in += min(round_up((size_t)c.cmsg_len, sizeof(u32)), len - in);
	}
	if (err) {
		kfree(buf);
		return err;
	}
	msg->msg_control_kern = buf;
	msg->msg_controllen = out;
	return 0;
}

/* ---- receiving ---- */

/* The size of a header, and what a message of len bytes takes with the gap behind it, as the receiver counts them. */
static size_t cmsg_header_size(void)
{
	return in_compat_syscall() ? sizeof(struct compat_cmsghdr) : sizeof(struct cmsghdr);
}

static size_t cmsg_space(size_t len)
{
	return cmsg_header_size() + round_up(len, in_compat_syscall() ? sizeof(u32) : sizeof(long));
}

static int put_cmsg_header(struct msghdr *msg, int level, int type, size_t cmsg_len)
{
	struct compat_cmsghdr c = { (u32)cmsg_len, level, type };
	struct cmsghdr hdr = { cmsg_len, level, type };

	if (in_compat_syscall())
		return copy_to_user(msg->msg_control, &c, sizeof(c)) ? -EFAULT : 0;
	return copy_to_user(msg->msg_control, &hdr, sizeof(hdr)) ? -EFAULT : 0;
}

/* Appends a control message, cut off when there is too little room (MSG_CTRUNC).  0 or -EFAULT. */
int put_cmsg(struct msghdr *msg, int level, int type, int len, const void *data)
{
	size_t header = cmsg_header_size(), cmsg_len = header + len, space;

	if (!msg->msg_control || msg->msg_controllen < header) {
		msg->msg_flags |= MSG_CTRUNC;
		return 0;
	}
	if (msg->msg_controllen < cmsg_len) {
		msg->msg_flags |= MSG_CTRUNC;
		cmsg_len = msg->msg_controllen;
	}
	if (put_cmsg_header(msg, level, type, cmsg_len) ||
	    copy_to_user(msg->msg_control + header, data, cmsg_len - header))
		return -EFAULT;
	space = min(cmsg_space(len), msg->msg_controllen);
	msg->msg_control += space;
	msg->msg_controllen -= space;
	return 0;
}

/* Gives each file a descriptor, as many as there is room and numbers for; the rest is dropped (MSG_CTRUNC). */
static void detach_fds(struct msghdr *msg, struct scm_cookie *scm, int flags)
{
	unsigned int o_flags = flags & MSG_CMSG_CLOEXEC ? O_CLOEXEC : 0;
	size_t header = cmsg_header_size();
	int room = 0, i;
	int __user *out;

	if (msg->msg_controllen > header)
		room = min_t(size_t, (msg->msg_controllen - header) / sizeof(int), scm->fp->count);
	out = msg->msg_control + header;
	for (i = 0; i < room; i++)
		if (receive_fd(scm->fp->fp[i], out + i, o_flags) < 0)
			break;
	if (i > 0) {
		size_t space = min(cmsg_space(i * sizeof(int)), msg->msg_controllen);

		if (!put_cmsg_header(msg, SOL_SOCKET, SCM_RIGHTS, header + i * sizeof(int))) {
			msg->msg_control += space;
			msg->msg_controllen -= space;
		}
	}
	if (i < scm->fp->count)
		msg->msg_flags |= MSG_CTRUNC;
}

void scm_recv(struct sock *sk, struct msghdr *msg, struct scm_cookie *scm, int flags)
{
	if (!msg->msg_control) {
		if (sk->passcred || scm->fp)
			msg->msg_flags |= MSG_CTRUNC;
		scm_destroy(scm);
		return;
	}
	if (sk->passcred) {
		struct ucred c = {
			.pid = pid_vnr(scm->pid),
			.uid = from_kuid_munged(current_user_ns(), scm->uid),
			.gid = from_kgid_munged(current_user_ns(), scm->gid),
		};

		put_cmsg(msg, SOL_SOCKET, SCM_CREDENTIALS, sizeof(c), &c);
	}
	if (scm->fp)
		detach_fds(msg, scm, flags);
	scm_destroy(scm);
}
