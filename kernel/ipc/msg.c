/*
 * msg.c: System V message queues: msgget, msgsnd, msgrcv, msgctl.
 *
 * Idea:    a message goes straight to a receiver that waits for its kind, else onto the queue.  Receivers wait in order of
 *          arrival, so do senders that found the queue full.  Who waits is completed by the other side under the lock (see
 *          sem_op.c for why that is safe).
 * Locking: perm.lock guards all of a queue.  msg_ids.rwsem -> perm.lock.
 * Cost:    the queue is searched for the type; the first message of any type is found at once.
 * See:     spec.md §8; man 2 msgget, msgop, msgctl
 */
#include <weft/capability.h>
#include <weft/cred.h>
#include <weft/err.h>
#include <weft/init.h>
#include <weft/kernel.h>
#include <weft/proc_fs.h>
#include <weft/seq_file.h>
#include <weft/signal.h>
#include <weft/slab.h>
#include <weft/stat.h>
#include <weft/syscalls.h>
#include <weft/timekeeping.h>
#include <weft/uaccess.h>
#include "util.h"

struct message {
	struct list_head	list;
	long			type;
	size_t			size;
	char			text[];
};

struct msg_queue {
	struct kern_ipc_perm	perm;
	time64_t		stime, rtime, ctime;
	unsigned long		bytes, count, max_bytes;
	pid_t			lspid, lrpid;
	struct list_head	messages;	/* oldest first */
	struct list_head	receivers, senders;	/* struct msg_waiter, oldest first */
};

/* Which messages a receiver wants. */
enum msg_mode { MODE_ANY, MODE_EQUAL, MODE_NOT_EQUAL, MODE_LESS_EQUAL };

/* A task in msgrcv() or msgsnd(), on its stack. */
struct msg_waiter {
	struct list_head	list;
	struct task_struct	*task;
	bool			waiting;	/* false: the other side is done with it */
	int			status;		/* -EIDRM, -E2BIG; -EAGAIN: it shall look again */
	enum msg_mode		mode;		/* receivers: */
	long			type;
	size_t			room;
	bool			cut;		/* MSG_NOERROR */
	struct message		*message;	/* what it got */
};

static int msg_ctlmax = 8192, msg_ctlmnb = 16384, msg_ctlmni = 32000;

static struct msg_queue *to_queue(struct kern_ipc_perm *perm)
{
	return container_of(perm, struct msg_queue, perm);
}

/* ---- waiting ---- */

static void wake_waiter(struct msg_waiter *w, int status)
{
	list_del(&w->list);
	w->waiting = false;
	w->status = status;
	wake_up_process(w->task);
}

static void wake_all(struct list_head *waiters, int status)
{
	struct msg_waiter *w, *n;

	list_for_each_entry_safe(w, n, waiters, list)
		wake_waiter(w, status);
}

/* Queue locked, unlocked during the sleep.  0: woken by the other side; w->status then says why. */
static int wait_turn(struct msg_queue *q, struct list_head *waiters, struct msg_waiter *w)
{
	w->task = current;
	w->waiting = true;
	list_add_tail(&w->list, waiters);
	while (w->waiting && !signal_pending(current)) {
		set_current_state(TASK_INTERRUPTIBLE);
		ipc_unlock(&q->perm);
		schedule();
		ipc_lock(&q->perm);
	}
	if (!w->waiting)
		return 0;
	list_del(&w->list);
	return -ERESTARTNOHAND;
}

/* ---- msgget, and the end of a queue ---- */

static int msg_make(const struct ipc_params *params)
{
	struct msg_queue *q = kvzalloc(sizeof(*q), GFP_KERNEL);
	int id;

	if (!q)
		return -ENOMEM;
	q->ctime = ktime_get_real_seconds();
	q->max_bytes = READ_ONCE(msg_ctlmnb);
	INIT_LIST_HEAD(&q->messages);
	INIT_LIST_HEAD(&q->receivers);
	INIT_LIST_HEAD(&q->senders);
	id = ipc_add(msg_ids(), &q->perm, params, READ_ONCE(msg_ctlmni));
	if (id < 0)
		kvfree(q);
	return id;
}

long sys_msgget(key_t key, int msgflg)
{
	static const struct ipc_ops ops = { .make = msg_make };

	return ipcget(msg_ids(), &ops, &(struct ipc_params){ .key = key, .flg = msgflg });
}

/* rwsem held for writing; unlocks the queue. */
static void destroy(struct msg_queue *q)
{
	struct message *msg, *n;
	LIST_HEAD(messages);

	wake_all(&q->receivers, -EIDRM);
	wake_all(&q->senders, -EIDRM);
	list_splice_init(&q->messages, &messages);
	ipc_remove(&q->perm);
	ipc_unlock_put(&q->perm);
	list_for_each_entry_safe(msg, n, &messages, list)
		kvfree(msg);
}

static void destroy_perm(struct kern_ipc_perm *perm)
{
	destroy(to_queue(perm));
}

void msg_exit_ns(struct ipc_namespace *ns)
{
	ipc_destroy_all(&ns->ids[IPC_MSG_IDS], destroy_perm);
}

/* ---- msgsnd ---- */

static struct message *copy_message(struct msgbuf __user *msgp, size_t size)
{
	struct message *msg;
	char __user *text;
	long type;

	text = msg_type_from_user(&type, msgp);
	if (!text)
		return ERR_PTR(-EFAULT);
	if (type < 1)
		return ERR_PTR(-EINVAL);
	msg = kvmalloc(sizeof(*msg) + size, GFP_KERNEL);
	if (!msg)
		return ERR_PTR(-ENOMEM);
	msg->type = type;
	msg->size = size;
	if (copy_from_user(msg->text, text, size)) {
		kvfree(msg);
		return ERR_PTR(-EFAULT);
	}
	return msg;
}

static bool wanted(const struct msg_waiter *w, long type)
{
	switch (w->mode) {
	case MODE_EQUAL:
		return type == w->type;
	case MODE_NOT_EQUAL:
		return type != w->type;
	case MODE_LESS_EQUAL:
		return type <= w->type;
	default:
		return true;
	}
}

static void note_receive(struct msg_queue *q, pid_t pid)
{
	q->lrpid = pid;
	q->rtime = ktime_get_real_seconds();
}

/* Gives the message to who waits for it.  A receiver without room for it is told so and has lost its turn. */
static bool hand_over(struct msg_queue *q, struct message *msg)
{
	struct msg_waiter *w, *n;

	list_for_each_entry_safe(w, n, &q->receivers, list) {
		if (!wanted(w, msg->type))
			continue;
		if (w->room < msg->size && !w->cut) {
			wake_waiter(w, -E2BIG);
			continue;
		}
		w->message = msg;
		note_receive(q, task_tgid_nr(w->task));
		wake_waiter(w, 0);
		return true;
	}
	return false;
}

/* Messages of no bytes count as well: not more of them than bytes. */
static bool fits(const struct msg_queue *q, size_t size)
{
	return q->bytes + size <= q->max_bytes && q->count + 1 <= q->max_bytes;
}

/* Waits until there is room.  Queue locked.  A sender that was woken takes its place behind those that came since. */
static int wait_for_room(struct msg_queue *q, size_t size, bool nowait)
{
	struct msg_waiter w;
	int err;

	for (;;) {
		err = ipcperms(&q->perm, S_IWUGO);
		if (err || fits(q, size))
			return err;
		if (nowait)
			return -EAGAIN;
		err = wait_turn(q, &q->senders, &w);
		if (!err)
			err = w.status;
		if (err)
			return err;
	}
}

static void put_message(struct msg_queue *q, struct message *msg)
{
	q->lspid = task_tgid_nr(current);
	q->stime = ktime_get_real_seconds();
	if (hand_over(q, msg))
		return;
	list_add_tail(&msg->list, &q->messages);
	q->bytes += msg->size;
	q->count++;
}

long sys_msgsnd(int msqid, struct msgbuf __user *msgp, size_t msgsz, int msgflg)
{
	struct kern_ipc_perm *perm;
	struct message *msg;
	int err;

	if (msgsz > (size_t)READ_ONCE(msg_ctlmax) || (long)msgsz < 0 || msqid < 0)
		return -EINVAL;
	msg = copy_message(msgp, msgsz);
	if (IS_ERR(msg))
		return PTR_ERR(msg);
	perm = ipc_lock_get(msg_ids(), msqid);
	if (IS_ERR(perm)) {
		kvfree(msg);
		return PTR_ERR(perm);
	}
	err = wait_for_room(to_queue(perm), msgsz, msgflg & IPC_NOWAIT);
	if (!err)
		put_message(to_queue(perm), msg);
	ipc_unlock_put(perm);
	if (err)
		kvfree(msg);
	return err;
}

/* ---- msgrcv ---- */

static void set_mode(struct msg_waiter *w, long type, int flags)
{
	w->type = type;
	if (!type) {
		w->mode = MODE_ANY;
	} else if (type < 0) {
		w->mode = MODE_LESS_EQUAL;
		w->type = type == LONG_MIN ? LONG_MAX : -type;
	} else {
		w->mode = flags & MSG_EXCEPT ? MODE_NOT_EQUAL : MODE_EQUAL;
	}
}

/* The first message that w wants; with "at most this type" the first of the lowest. */
static struct message *find_message(struct msg_queue *q, const struct msg_waiter *w)
{
	struct message *msg, *found = NULL;

	list_for_each_entry(msg, &q->messages, list) {
		if (!wanted(w, msg->type))
			continue;
		if (w->mode != MODE_LESS_EQUAL)
			return msg;
		if (!found || msg->type < found->type)
			found = msg;
	}
	return found;
}

static void take_message(struct msg_queue *q, struct message *msg)
{
	list_del(&msg->list);
	q->bytes -= msg->size;
	q->count--;
	note_receive(q, task_tgid_nr(current));
	wake_all(&q->senders, 0);
}

/* A message for w, now or later, into w->message.  Queue locked.  0 or -errno. */
static int receive(struct msg_queue *q, struct msg_waiter *w, bool nowait)
{
	struct message *msg;
	int err;

	do {
		err = ipcperms(&q->perm, S_IRUGO);
		if (err)
			return err;
		msg = find_message(q, w);
		if (msg) {
			if (w->room < msg->size && !w->cut)
				return -E2BIG;
			take_message(q, msg);
			w->message = msg;
			return 0;
		}
		if (nowait)
			return -ENOMSG;
		err = wait_turn(q, &q->receivers, w);
		if (!err)
			err = w->status;
	} while (err == -EAGAIN);
	return err;
}

static long copy_message_out(struct msgbuf __user *msgp, const struct message *msg, size_t room)
{
	size_t size = min(room, msg->size);
	char __user *text = msg_type_to_user(msgp, msg->type);

	return !text || copy_to_user(text, msg->text, size) ? -EFAULT : (long)size;
}

/* The message that has index others before it, into copy.  Queue locked.  0 or -errno. */
static int peek_message(struct msg_queue *q, long index, size_t room, bool cut, struct message *copy)
{
	struct message *msg;
	int err = ipcperms(&q->perm, S_IRUGO);

	if (err)
		return err;
	list_for_each_entry(msg, &q->messages, list) {
		if (index--)
			continue;
		if (msg->size > room)
			return cut ? -EINVAL : -E2BIG;
		copy->type = msg->type;
		copy->size = msg->size;
		memcpy(copy->text, msg->text, msg->size);
		return 0;
	}
	return -ENOMSG;
}

/* MSG_COPY: what checkpoints a queue looks at its messages by their place, and leaves them there. */
static long msgrcv_copy(int msqid, struct msgbuf __user *msgp, size_t msgsz, long index, int msgflg)
{
	size_t room = min(msgsz, (size_t)READ_ONCE(msg_ctlmax));
	struct kern_ipc_perm *perm;
	struct message *copy;
	long ret;

	if ((msgflg & MSG_EXCEPT) || !(msgflg & IPC_NOWAIT))
		return -EINVAL;
	copy = kvmalloc(sizeof(*copy) + room, GFP_KERNEL);
	if (!copy)
		return -ENOMEM;
	perm = ipc_lock_get(msg_ids(), msqid);
	ret = PTR_ERR_OR_ZERO(perm);
	if (!ret) {
		ret = peek_message(to_queue(perm), index, room, msgflg & MSG_NOERROR, copy);
		ipc_unlock_put(perm);
	}
	if (!ret)
		ret = copy_message_out(msgp, copy, room);
	kvfree(copy);
	return ret;
}

long sys_msgrcv(int msqid, struct msgbuf __user *msgp, size_t msgsz, long msgtyp, int msgflg)
{
	struct msg_waiter w = { .room = msgsz, .cut = msgflg & MSG_NOERROR };
	struct kern_ipc_perm *perm;
	long ret;

	if (msqid < 0 || (long)msgsz < 0)
		return -EINVAL;
	if (msgflg & MSG_COPY)
		return msgrcv_copy(msqid, msgp, msgsz, msgtyp, msgflg);
	set_mode(&w, msgtyp, msgflg);
	perm = ipc_lock_get(msg_ids(), msqid);
	if (IS_ERR(perm))
		return PTR_ERR(perm);
	ret = receive(to_queue(perm), &w, msgflg & IPC_NOWAIT);
	ipc_unlock_put(perm);
	if (ret)
		return ret;
	ret = copy_message_out(msgp, w.message, msgsz);
	kvfree(w.message);
	return ret;
}

/* ---- msgctl ---- */

static int set_attributes(struct msg_queue *q, const struct msqid_ds *in)
{
	int err;

	if (in->msg_qbytes > (unsigned long)READ_ONCE(msg_ctlmnb) && !capable(CAP_SYS_RESOURCE))
		return -EPERM;
	err = ipc_set(&q->perm, &in->msg_perm);
	if (err)
		return err;
	q->max_bytes = in->msg_qbytes;
	q->ctime = ktime_get_real_seconds();
	wake_all(&q->receivers, -EAGAIN);	/* rights and room may differ now: let them look again */
	wake_all(&q->senders, 0);
	return 0;
}

static int msg_change(int msqid, int cmd, const struct msqid_ds *in)
{
	struct kern_ipc_perm *perm;
	int err;

	down_write(&msg_ids()->rwsem);
	perm = ipc_lock_get(msg_ids(), msqid);
	err = PTR_ERR_OR_ZERO(perm);
	if (err)
		goto up;
	err = ipc_may_control(perm);
	if (!err && cmd == IPC_SET)
		err = set_attributes(to_queue(perm), in);
	if (err || cmd == IPC_SET)
		ipc_unlock(perm);
	else
		destroy(to_queue(perm));
	ipc_put(perm);
up:
	up_write(&msg_ids()->rwsem);
	return err;
}

static int msg_stat(int msqid, int cmd, struct msqid_ds __user *buf)
{
	struct kern_ipc_perm *perm = cmd == IPC_STAT ? ipc_lock_get(msg_ids(), msqid) : ipc_lock_get_index(msg_ids(), msqid);
	struct msqid_ds ds = { 0 };
	struct msg_queue *q;
	int ret = 0;

	if (IS_ERR(perm))
		return PTR_ERR(perm);
	q = to_queue(perm);
	if (cmd != MSG_STAT_ANY)
		ret = ipcperms(perm, S_IRUGO);
	if (!ret) {
		ipc_to_user(perm, &ds.msg_perm);
		ds.msg_stime = q->stime;
		ds.msg_rtime = q->rtime;
		ds.msg_ctime = q->ctime;
		ds.msg_cbytes = q->bytes;
		ds.msg_qnum = q->count;
		ds.msg_qbytes = q->max_bytes;
		ds.msg_lspid = pid_nr_vnr(q->lspid);
		ds.msg_lrpid = pid_nr_vnr(q->lrpid);
		ret = cmd == IPC_STAT ? 0 : perm->id;
	}
	ipc_unlock_put(perm);
	return ret >= 0 && msqid_to_user(buf, &ds) ? -EFAULT : ret;
}

/* How many queues, messages and bytes there are. */
static void sum_up(struct msginfo *info)
{
	struct kern_ipc_perm *perm;
	int index;

	info->msgpool = msg_ids()->in_use;
	info->msgmap = info->msgtql = 0;
	idr_for_each_entry(&msg_ids()->idr, perm, index) {
		info->msgmap += READ_ONCE(to_queue(perm)->count);
		info->msgtql += READ_ONCE(to_queue(perm)->bytes);
	}
}

static int msg_info(int cmd, struct msginfo __user *buf)
{
	struct msginfo info = {
		.msgmax = msg_ctlmax, .msgmnb = msg_ctlmnb, .msgmni = msg_ctlmni, .msgssz = 16, .msgseg = 0xffff,
		.msgmap = msg_ctlmnb, .msgpool = msg_ctlmni * (msg_ctlmnb / 1024), .msgtql = msg_ctlmnb,
	};
	int max;

	down_read(&msg_ids()->rwsem);		/* nothing can go while it is held */
	if (cmd == MSG_INFO)
		sum_up(&info);
	max = ipc_max_index(msg_ids());
	up_read(&msg_ids()->rwsem);
	return copy_to_user(buf, &info, sizeof(info)) ? -EFAULT : max;
}

long sys_msgctl(int msqid, int cmd, struct msqid_ds __user *buf)
{
	struct msqid_ds in = { 0 };

	if (msqid < 0 || cmd < 0)
		return -EINVAL;
	switch (cmd) {
	case IPC_INFO:
	case MSG_INFO:
		return msg_info(cmd, (struct msginfo __user *)buf);
	case IPC_STAT:
	case MSG_STAT:
	case MSG_STAT_ANY:
		return msg_stat(msqid, cmd, buf);
	case IPC_SET:
		if (msqid_from_user(&in, buf))
			return -EFAULT;
		fallthrough;
	case IPC_RMID:
		return msg_change(msqid, cmd, &in);
	default:
		return -EINVAL;
	}
}

/* ---- /proc ---- */

static void msg_show(struct seq_file *m, struct kern_ipc_perm *perm)
{
	const struct msg_queue *q = to_queue(perm);

	seq_printf(m, "%10d %10d  %4o  %10lu %10lu %5u %5u %5u %5u %5u %5u %10llu %10llu %10llu\n", perm->key, perm->id,
		   perm->mode, q->bytes, q->count, pid_nr_vnr(q->lspid), pid_nr_vnr(q->lrpid), perm->uid, perm->gid,
		   perm->cuid, perm->cgid, (u64)q->stime, (u64)q->rtime, (u64)q->ctime);
}

static const struct ipc_proc msg_proc = {
	.heading = "       key      msqid perms      cbytes       qnum lspid lrpid   uid   gid  cuid  cgid"
		   "      stime      rtime      ctime\n",
	.kind = IPC_MSG_IDS, .show = msg_show,
};

static const int zero, ipcmni = IPCMNI;
static const struct ctl_table msg_table[] = {
	{ "msgmax", &msg_ctlmax, sizeof(int), 0644, proc_dointvec_minmax, &zero },
	{ "msgmnb", &msg_ctlmnb, sizeof(int), 0644, proc_dointvec_minmax, &zero },
	{ "msgmni", &msg_ctlmni, sizeof(int), 0644, proc_dointvec_minmax, &zero, &ipcmni },
	{ }
};

static int __init msg_init(void)
{
	int err = register_sysctl("kernel", msg_table);

	return err ? err : ipc_proc_create("msg", &msg_proc);
}
fs_initcall(msg_init);
