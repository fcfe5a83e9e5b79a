/*
 * vt_ioctl.c: the ioctls of virtual consoles: keyboard mode, graphics mode, switching.
 * Locking: vt_lock for the state; VT_WAITACTIVE sleeps on vt_activate_wait.
 * See:     console_ioctl(2), vt(4)
 */
#include <weft/kernel.h>
#include <weft/sched.h>
#include <weft/signal.h>
#include <weft/cred.h>
#include <weft/uaccess.h>
#include "../internal.h"
#include "vt.h"

/* Changing things is for who has the console as controlling terminal, or may configure terminals. */
static bool may_change(struct tty_struct *tty)
{
	return current->signal->tty == tty || capable(CAP_SYS_TTY_CONFIG);
}

static int set_kd_mode(struct vt *vt, unsigned long mode)
{
	if (mode != KD_TEXT && mode != KD_GRAPHICS)
		return -EINVAL;
	spin_lock_irq(&vt_lock);
	vt->kdmode = mode;
	fbcon_invalidate();
	spin_unlock_irq(&vt_lock);
	fbcon_changed();
	return 0;
}

static int set_vt_mode(struct vt *vt, const struct vt_mode __user *arg)
{
	struct vt_mode mode;
	struct pid *pid = NULL, *old;

	if (copy_from_user(&mode, arg, sizeof(mode)))
		return -EFAULT;
	if (mode.mode != VT_AUTO && mode.mode != VT_PROCESS)
		return -EINVAL;
	if (mode.mode == VT_PROCESS) {
		if (mode.relsig < 1 || mode.relsig > _NSIG || mode.acqsig < 1 || mode.acqsig > _NSIG)
			return -EINVAL;
		pid = get_task_pid(current, PIDTYPE_TGID);
	}
	spin_lock_irq(&vt_lock);
	mode.frsig = 0;
	vt->mode = mode;
	old = vt->pid;
	vt->pid = pid;
	spin_unlock_irq(&vt_lock);
	put_pid(old);
	return 0;
}

static int get_state(struct vt_stat __user *arg)
{
	struct vt_stat st = { .v_state = 1 };	/* bit 0: tty0 is always "open" */

	st.v_active = READ_ONCE(fg_console) + 1;
	for (int i = 0; i < NR_VTS; i++)
		if (vt_is_open(i))
			st.v_state |= 2 << i;
	return copy_to_user(arg, &st, sizeof(st)) ? -EFAULT : 0;
}

static int first_free(int __user *arg)
{
	int i = 0;

	while (i < NR_VTS && vt_is_open(i))
		i++;
	return put_user(i < NR_VTS ? i + 1 : -1, arg);
}

static int wait_active(int index)
{
	if (index < 0 || index >= NR_VTS)
		return -ENXIO;
	return wait_event_interruptible(vt_activate_wait, READ_ONCE(fg_console) == index);
}

/* The program of the front console answers: 0 refuses the switch, 1 allows it, 2 acknowledges having got the console. */
static int release_display(struct vt *vt, unsigned long arg)
{
	return arg == 2 || vt->mode.mode != VT_PROCESS ? 0 : vt_release(arg != 0);
}

static int keyboard_ioctl(struct tty_struct *tty, struct vt *vt, unsigned int cmd, unsigned long arg)
{
	char __user *bytes = (char __user *)arg;
	int __user *ints = (int __user *)arg;

	switch (cmd) {
	case KDGKBTYPE:
		return put_user((char)KB_101, bytes);
	case KDGKBMODE:
		return put_user((int)vt->kbmode, ints);
	case KDSKBMODE:
		if (!may_change(tty))
			return -EPERM;
		if (arg > K_OFF)
			return -EINVAL;
		WRITE_ONCE(vt->kbmode, arg);
		return 0;
	case KDGKBMETA:
		return put_user(K_ESCPREFIX, ints);
	case KDSKBMETA:
		return arg == K_ESCPREFIX ? 0 : -EINVAL;
	case KDGETLED:
	case KDGKBLED:
		return put_user((char)keyboard_leds(), bytes);
	case KDSETLED:
	case KDSKBLED:
		if (!may_change(tty))
			return -EPERM;
		keyboard_set_leds(arg & 7);
		return 0;
	default:
		return -ENOIOCTLCMD;
	}
}

int vt_ioctl(struct tty_struct *tty, unsigned int cmd, unsigned long arg)
{
	struct vt *vt = tty->driver_data;
	void __user *p = (void __user *)arg;

	switch (cmd) {
	case KIOCSOUND:
	case KDMKTONE:
		return may_change(tty) ? 0 : -EPERM;	/* there is no loudspeaker */
	case KDGETMODE:
		return put_user((int)vt->kdmode, (int __user *)p);
	case KDSETMODE:
		return may_change(tty) ? set_kd_mode(vt, arg) : -EPERM;
	case VT_OPENQRY:
		return first_free(p);
	case VT_GETMODE:
		return copy_to_user(p, &vt->mode, sizeof(vt->mode)) ? -EFAULT : 0;
	case VT_SETMODE:
		return may_change(tty) ? set_vt_mode(vt, p) : -EPERM;
	case VT_GETSTATE:
		return get_state(p);
	case VT_ACTIVATE:
		return may_change(tty) ? vt_switch((int)arg - 1) : -EPERM;
	case VT_WAITACTIVE:
		return may_change(tty) ? wait_active((int)arg - 1) : -EPERM;
	case VT_RELDISP:
		return may_change(tty) ? release_display(vt, arg) : -EPERM;
	default:
		return keyboard_ioctl(tty, vt, cmd, arg);
	}
}
