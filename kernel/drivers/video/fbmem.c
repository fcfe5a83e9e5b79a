/*
 * fbmem.c: /dev/fb0: the frame buffer as a file: read, write, mmap, and what it looks like.
 *
 * Idea:    one frame buffer, of one mode; asking for another mode is refused, asking for the same one succeeds.
 * Locking: none: registered once at start-up, immutable after.
 * See:     include/weft/fb.h; Linux's fb(4)-like ABI in uapi/fb.h
 */
#include <weft/kernel.h>
#include <weft/init.h>
#include <weft/err.h>
#include <weft/string.h>
#include <weft/fs.h>
#include <weft/uio.h>
#include <weft/mm.h>
#include <weft/uaccess.h>
#include <weft/device.h>
#include <weft/cdev.h>
#include <weft/fb.h>
#include "../tty/vt/vt.h"

#define FB_MAJOR	29

struct fb_info *registered_fb;

static size_t fb_bytes(void)
{
	return (size_t)registered_fb->fix.line_length * registered_fb->var.yres;
}

static ssize_t fb_read(struct kiocb *iocb, struct iov_iter *to)
{
	size_t n = iov_iter_count(to), copied;

	if (iocb->ki_pos < 0 || (size_t)iocb->ki_pos >= fb_bytes())
		return 0;
	n = min(n, fb_bytes() - (size_t)iocb->ki_pos);
	copied = copy_to_iter((const void __force *)registered_fb->screen_base + iocb->ki_pos, n, to);
	iocb->ki_pos += copied;
	return copied || !n ? (ssize_t)copied : -EFAULT;
}

static ssize_t fb_write(struct kiocb *iocb, struct iov_iter *from)
{
	size_t n = iov_iter_count(from), copied;

	if (iocb->ki_pos < 0 || (size_t)iocb->ki_pos > fb_bytes())
		return -EFBIG;
	n = min(n, fb_bytes() - (size_t)iocb->ki_pos);
	if (!n && iov_iter_count(from))
		return -ENOSPC;
	copied = copy_from_iter((void __force *)registered_fb->screen_base + iocb->ki_pos, n, from);
	iocb->ki_pos += copied;
	return copied || !n ? (ssize_t)copied : -EFAULT;
}

static int fb_mmap(struct file *file, struct vm_area_struct *vma)
{
	unsigned long size = vma->vm_end - vma->vm_start, offset = vma->vm_pgoff << PAGE_SHIFT;

	if (vma->vm_pgoff > (~0UL >> PAGE_SHIFT) || offset > registered_fb->fix.smem_len ||
	    size > registered_fb->fix.smem_len - offset)
		return -EINVAL;
	vma->vm_page_prot = pgprot_writecombine(vma->vm_page_prot);
	return remap_pfn_range(vma, vma->vm_start, (registered_fb->fix.smem_start + offset) >> PAGE_SHIFT, size,
			       vma->vm_page_prot);
}

static int put_var(void __user *arg)
{
	const struct fb_var_screeninfo *now = &registered_fb->var;
	struct fb_var_screeninfo var;

	if (copy_from_user(&var, arg, sizeof(var)))
		return -EFAULT;
	if (var.xres != now->xres || var.yres != now->yres || var.bits_per_pixel != now->bits_per_pixel ||
	    var.xoffset || var.yoffset)
		return -EINVAL;
	return copy_to_user(arg, now, sizeof(*now)) ? -EFAULT : 0;
}

static long fb_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	void __user *p = (void __user *)arg;

	switch (cmd) {
	case FBIOGET_VSCREENINFO:
		return copy_to_user(p, &registered_fb->var, sizeof(registered_fb->var)) ? -EFAULT : 0;
	case FBIOGET_FSCREENINFO:
		return copy_to_user(p, &registered_fb->fix, sizeof(registered_fb->fix)) ? -EFAULT : 0;
	case FBIOPUT_VSCREENINFO:
	case FBIOPAN_DISPLAY:
		return put_var(p);
	case FBIOBLANK:
		return 0;
	default:
		return -ENOTTY;
	}
}

static loff_t fb_llseek(struct file *file, loff_t offset, int whence)
{
	return fixed_size_llseek(file, offset, whence, fb_bytes());
}

static const struct file_operations fb_fops = {
	.llseek = fb_llseek, .read_iter = fb_read, .write_iter = fb_write, .unlocked_ioctl = fb_ioctl, .compat_ioctl = fb_ioctl,
	.mmap = fb_mmap,
};

int register_framebuffer(struct fb_info *info)
{
	static struct cdev cdev;
	dev_t dev = MKDEV(FB_MAJOR, 0);
	int err;

	if (registered_fb)
		return -EBUSY;
	cdev_init(&cdev, &fb_fops);
	err = register_chrdev_region(dev, 1, "fb");
	if (err)
		return err;
	registered_fb = info;
	err = cdev_add(&cdev, dev, 1);
	if (err)
		return err;
	device_create(&graphics_class, dev, "fb0", S_IFCHR | 0660);
	return vt_init_screen(info);
}
