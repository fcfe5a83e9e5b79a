/*
 * fb.h: a linear frame buffer, as a graphics driver hands it to the console and to /dev/fb0.
 * See:     kernel/drivers/video/fbmem.c, bochs.c; kernel/drivers/tty/vt/fbcon.c
 */
#ifndef WEFT_FB_H
#define WEFT_FB_H

#include <weft/types.h>
#include <uapi/fb.h>

struct fb_info {
	struct fb_fix_screeninfo fix;		/* [I] */
	struct fb_var_screeninfo var;		/* [I] */
	void __iomem		*screen_base;	/* [I] mapped write-combining */
};

/* Makes it /dev/fb0 and the virtual console's screen.  -EBUSY when there is one already.  May sleep. */
int register_framebuffer(struct fb_info *info);
extern struct fb_info *registered_fb;		/* [I] after registration, or NULL */

#endif
