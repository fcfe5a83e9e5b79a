/*
 * bochs.c: QEMU's and Bochs's display adapter (1234:1111): sets a mode and hands its memory to the frame buffer.
 *
 * Idea:    BAR 0 is the picture.  The mode registers are an index/data pair at ports 0x1ce/0x1cf, or 16-bit registers at 0x500
 *          in BAR 2 (the only way for "bochs-display").  video=WIDTHxHEIGHT chooses the mode; 1024x768 without it.
 * See:     QEMU docs/specs/standard-vga.txt; include/weft/fb.h
 */
#include <weft/kernel.h>
#include <weft/init.h>
#include <weft/string.h>
#include <weft/io.h>
#include <weft/mm.h>
#include <weft/pci.h>
#include <weft/fb.h>

#define VBE_INDEX_PORT	0x1ce
#define VBE_DATA_PORT	0x1cf
#define VBE_ID		0
#define   VBE_ID_MASK	0xfff0
#define   VBE_ID_BOCHS	0xb0c0
#define VBE_XRES	1
#define VBE_YRES	2
#define VBE_BPP		3
#define VBE_ENABLE	4
#define   VBE_ENABLED	0x01
#define   VBE_LFB	0x40
#define VBE_BANK	5
#define VBE_VIRT_WIDTH	6
#define VBE_VIRT_HEIGHT	7
#define VBE_X_OFFSET	8
#define VBE_Y_OFFSET	9
#define MMIO_VGA	0x400	/* ports from 0x3c0 on */
#define MMIO_VBE	0x500

static unsigned int want_width = 1024, want_height = 768;
static void __iomem *mmio;		/* NULL: ports */

static int __init video_setup(char *s)
{
	unsigned long w = simple_strtoul(s, &s, 10), h = *s == 'x' ? simple_strtoul(s + 1, &s, 10) : 0;

	if (w < 320 || w > 4096 || h < 200 || h > 4096)
		return 0;
	want_width = w & ~7;
	want_height = h;
	return 1;
}
__setup("video=", video_setup);

static u16 vbe_read(u16 reg)
{
	if (mmio)
		return readw(mmio + MMIO_VBE + reg * 2);
	outw(reg, VBE_INDEX_PORT);
	return inw(VBE_DATA_PORT);
}

static void vbe_write(u16 reg, u16 value)
{
	if (mmio) {
		writew(value, mmio + MMIO_VBE + reg * 2);
		return;
	}
	outw(reg, VBE_INDEX_PORT);
	outw(value, VBE_DATA_PORT);
}

/* The attribute controller shows nothing until bit 5 of its index is set. */
static void unblank(void)
{
	if (mmio) {
		readb(mmio + MMIO_VGA + 0x1a);
		writeb(0x20, mmio + MMIO_VGA);
	} else {
		inb(0x3da);
		outb(0x20, 0x3c0);
	}
}

static void set_mode(unsigned int width, unsigned int height)
{
	unblank();
	vbe_write(VBE_ENABLE, 0);
	vbe_write(VBE_BPP, 32);
	vbe_write(VBE_XRES, width);
	vbe_write(VBE_YRES, height);
	vbe_write(VBE_BANK, 0);
	vbe_write(VBE_VIRT_WIDTH, width);
	vbe_write(VBE_VIRT_HEIGHT, height);
	vbe_write(VBE_X_OFFSET, 0);
	vbe_write(VBE_Y_OFFSET, 0);
	vbe_write(VBE_ENABLE, VBE_ENABLED | VBE_LFB);
}

static struct fb_info bochs_fb;

static void describe(u64 start, unsigned int width, unsigned int height)
{
	bochs_fb.fix = (struct fb_fix_screeninfo){
		.id = "bochs", .smem_start = start, .smem_len = PAGE_ALIGN(width * height * 4), .type = FB_TYPE_PACKED_PIXELS,
		.visual = FB_VISUAL_TRUECOLOR, .line_length = width * 4, .accel = FB_ACCEL_NONE,
	};
	bochs_fb.var = (struct fb_var_screeninfo){
		.xres = width, .yres = height, .xres_virtual = width, .yres_virtual = height, .bits_per_pixel = 32,
		.red = { 16, 8, 0 }, .green = { 8, 8, 0 }, .blue = { 0, 8, 0 }, .transp = { 24, 8, 0 },
		.height = -1, .width = -1,
	};
}

static int bochs_probe(struct pci_dev *dev, const struct pci_device_id *id)
{
	unsigned int width = want_width, height = want_height;
	u64 room = pci_resource_len(dev, 0);

	if (!(dev->resource[0].flags & IORESOURCE_MEM) || !pci_resource_start(dev, 0))
		return -ENODEV;
	pci_enable_device(dev);
	if (dev->resource[2].flags & IORESOURCE_MEM)
		mmio = ioremap(pci_resource_start(dev, 2), pci_resource_len(dev, 2));
	if ((vbe_read(VBE_ID) & VBE_ID_MASK) != VBE_ID_BOCHS)
		return -ENODEV;
	if ((u64)width * height * 4 > room) {
		width = 1024;
		height = 768;
		if ((u64)width * height * 4 > room)
			return -ENOSPC;
	}
	bochs_fb.screen_base = ioremap_wc(pci_resource_start(dev, 0), PAGE_ALIGN(width * height * 4));
	if (!bochs_fb.screen_base)
		return -ENOMEM;
	set_mode(width, height);
	describe(pci_resource_start(dev, 0), width, height);
	printk(KERN_INFO "bochs: %ux%u at %#llx\n", width, height, pci_resource_start(dev, 0));
	return register_framebuffer(&bochs_fb);
}

static const struct pci_device_id bochs_ids[] = { { .vendor = 0x1234, .device = 0x1111 }, { } };
static struct pci_driver bochs_driver = { .name = "bochs-fb", .id_table = bochs_ids, .probe = bochs_probe };

static int __init bochs_init(void)
{
	return pci_register_driver(&bochs_driver);
}
device_initcall(bochs_init);
