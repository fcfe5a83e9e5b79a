/*
 * message.c: files and credentials on their way through local sockets.
 *
 * Idea:    when a message is made, the files of its scm_cookie move to the buffer and are noted as in flight (garbage.c);
 *          when it is read they move back.  A peek copies the list with new references.
 * See:     af_unix.h, scm.c
 */
#include <weft/kernel.h>
#include <weft/pid.h>
#include <weft/resource.h>
#include "af_unix.h"

static bool too_many_in_flight(void)
{
	return atomic_long_read(&current_user()->unix_inflight) >
		       (long)READ_ONCE(current->signal->rlim[RLIMIT_NOFILE].rlim_cur) &&
	       !capable(CAP_SYS_RESOURCE) && !capable(CAP_SYS_ADMIN);
}

static void drop_files(struct sk_buff *skb)
{
	struct scm_fp_list *fpl = skb->fp;

	skb->fp = NULL;
	if (!fpl)
		return;
	for (int i = fpl->count - 1; i >= 0; i--)
		unix_notinflight(fpl->user, fpl->fp[i]);
	scm_fp_free(fpl);
}

/*
 * Credentials, and with send_fds the files too.  The cookie keeps its files: a stream sends them with its first buffer
 * and must still have them if that one fails.  0, -ETOOMANYREFS, -ENOMEM.
 */
int unix_scm_to_skb(struct scm_cookie *scm, struct sk_buff *skb, bool send_fds)
{
	struct scm_fp_list *fpl;

	skb->pid = get_pid(scm->pid);
	skb->uid = scm->uid;
	skb->gid = scm->gid;
	if (!scm->fp || !send_fds)
		return 0;
	if (too_many_in_flight())
		return -ETOOMANYREFS;
	fpl = scm_fp_dup(scm->fp);
	if (!fpl)
		return -ENOMEM;
	for (int i = 0; i < fpl->count; i++)
		unix_inflight(fpl->user, fpl->fp[i]);
	skb->fp = fpl;
	skb->destructor = drop_files;
	return 0;
}

/* Credentials that nobody gave, when either end wants them.  Before the message is queued. */
void unix_add_creds(struct sk_buff *skb, struct sock *sk, struct sock *other)
{
	if (skb->pid || !(READ_ONCE(sk->passcred) || READ_ONCE(other->passcred)))
		return;
	skb->pid = get_task_pid(current, PIDTYPE_TGID);
	skb->uid = current_uid();
	skb->gid = current_gid();
}

void unix_skb_set_scm(struct scm_cookie *scm, struct sk_buff *skb)
{
	put_pid(scm->pid);
	scm->pid = get_pid(skb->pid);
	scm->uid = skb->uid;
	scm->gid = skb->gid;
}

void unix_detach_fds(struct scm_cookie *scm, struct sk_buff *skb)
{
	scm->fp = skb->fp;
	skb->fp = NULL;
	skb->destructor = NULL;
	for (int i = 0; scm->fp && i < scm->fp->count; i++)
		unix_notinflight(scm->fp->user, scm->fp->fp[i]);
}

/*
 * New references for a reader that leaves the message in the queue.  A pass of the collector may have counted the files
 * before:
 *
 *              collector (gc lock)                     peek
 *              file_count == inflight: candidate
 *                                                      get_file(), later a descriptor
 *              takes the queue's message away          barrier: waits until the pass is over
 *
 * The pass then only frees messages, never the socket behind the new reference, and no pass that starts later sees the
 * old count.
 */
void unix_peek_fds(struct scm_cookie *scm, struct sk_buff *skb)
{
	scm->fp = scm_fp_dup(skb->fp);
	unix_gc_barrier();
}
