/*
 * errors.c DISK: bad sectors.  The host lets writes of sector 2048 and reads of sector 4096 of the disk fail (disks.py).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define BAD_WRITE	(2048 * 512)
#define BAD_READ	(4096 * 512)

static const char *disk;
static char block[4096];

static int open_disk(int flags)
{
	int fd = open(disk, O_RDWR | flags);

	if (fd < 0) {
		printf("not ok errors/open: %s: %s\n", disk, strerror(errno));
		exit(1);
	}
	return fd;
}

static void report(const char *name, int ok)
{
	if (ok)
		printf("ok errors/%s\n", name);
	else
		printf("not ok errors/%s: errno %d\n", name, errno);
}

static int is_eio(long ret)
{
	return ret == -1 && errno == EIO;
}

/* Each opener hears of it once, who opens later does not. */
static void each_opener_once(void)
{
	int a = open_disk(0), b = open_disk(0), c;
	int first, again, other, other_again, later;

	report("write_is_buffered", pwrite(a, block, 4096, BAD_WRITE) == 4096);
	first = is_eio(fsync(a));
	again = fsync(a);
	c = open_disk(0);
	later = fsync(c);
	other = is_eio(fsync(b));
	other_again = fsync(b);
	report("fsync_tells", first);
	report("fsync_tells_once", again == 0);
	report("fsync_tells_every_opener", other && other_again == 0);
	report("fsync_is_silent_to_who_came_later", later == 0);
	close(a);
	close(b);
	close(c);
}

/* Nobody had asked when it happened: who opens next hears of it. */
static void unheard_error_is_kept(void)
{
	int a = open_disk(0), b;

	pwrite(a, block, 4096, BAD_WRITE);
	sync_file_range(a, 0, 0, SYNC_FILE_RANGE_WRITE);
	close(a);				/* writes back and waits */
	b = open_disk(0);
	report("unheard_error_is_kept", is_eio(fsync(b)) && fsync(b) == 0);
	close(b);
}

static void neighbours_are_written(void)
{
	int a = open_disk(0);
	char back[4096];
	int ok;

	memset(block, 'n', sizeof(block));
	ok = pwrite(a, block, 4096, BAD_WRITE - 4096) == 4096 && pwrite(a, block, 4096, BAD_WRITE + 4096) == 4096 && !fsync(a);
	ioctl(a, BLKFLSBUF);
	ok = ok && pread(a, back, 4096, BAD_WRITE + 4096) == 4096 && !memcmp(back, block, 4096);
	report("neighbours_are_written", ok);
	close(a);
}

static void o_sync_tells_at_once(void)
{
	int a = open_disk(O_SYNC);

	report("o_sync_tells_at_once", is_eio(pwrite(a, block, 4096, BAD_WRITE)) && pwrite(a, block, 4096, 0) == 4096);
	close(a);
}

static void msync_tells(void)
{
	int a = open_disk(0);
	char *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, a, BAD_WRITE);

	p[0]++;
	report("msync_tells", p != MAP_FAILED && is_eio(msync(p, 4096, MS_SYNC)));
	munmap(p, 4096);
	close(a);
}

/* O_DIRECT: errors at once, and only in whole sectors. */
static void direct(void)
{
	char *mem = aligned_alloc(4096, 8192), *cached;
	int a = open_disk(O_DIRECT), b = open_disk(0);

	memset(mem, 'd', 8192);
	report("direct_write_tells", is_eio(pwrite(a, mem, 512, BAD_WRITE)));
	report("direct_read_tells", is_eio(pread(a, mem, 4096, BAD_READ)));
	report("direct_up_to_it", pread(a, mem, 4096, BAD_READ - 4096) == 4096);
	report("direct_unaligned_offset", pwrite(a, mem, 512, 100) == -1 && errno == EINVAL);
	report("direct_unaligned_length", pwrite(a, mem, 100, 0) == -1 && errno == EINVAL);
	report("direct_unaligned_memory", pread(a, mem + 1, 512, 0) == -1 && errno == EINVAL);
	report("direct_bad_memory", pread(a, (void *)4096, 512, 0) == -1 && errno == EFAULT);

	/* Coherent with the cache and with mappings. */
	cached = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, b, 8192);
	memset(cached, 'm', 4096);
	memset(mem, 'x', 4096);
	report("direct_reads_what_is_dirty", pread(a, mem, 4096, 8192) == 4096 && mem[0] == 'm' && mem[4095] == 'm');
	memset(mem, 'w', 512);
	report("direct_write_reaches_mappings", pwrite(a, mem, 512, 8192 + 512) == 512 && cached[512] == 'w' && cached[0] == 'm');
	report("direct_at_the_end", lseek(a, 0, SEEK_END) > 0 && read(a, mem, 512) == 0);
	munmap(cached, 4096);
	close(a);
	close(b);
	free(mem);
}

static void bad_read(void)
{
	int a = open_disk(0);

	report("bad_read", is_eio(pread(a, block, 4096, BAD_READ)));
	report("read_beside_it", pread(a, block, 4096, BAD_READ + 4096) == 4096 && pread(a, block, 4096, BAD_READ - 4096) == 4096);
	report("short_read_up_to_it", pread(a, block, 4096, BAD_READ - 512) == 512);
	close(a);
}

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	disk = argv[1];
	each_opener_once();
	unheard_error_is_kept();
	neighbours_are_written();
	o_sync_tells_at_once();
	msync_tells();
	bad_read();
	direct();
	return 0;
}
