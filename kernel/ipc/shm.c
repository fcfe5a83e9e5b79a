/*
 * shm.c: System V shared memory: shmget, shmat, shmdt, shmctl.
 *
 * Idea:    a segment is a tmpfs file without a name (fs/tmpfs/shmem.c), which has the pages.  Each attach maps a file of its
 *          own on the same inode, whose operations count the areas; so fork, munmap, exec and exit need not know of us.
 *          IPC_RMID makes a segment unknown by key and marks it; it goes when the last area does.
 * Counts:  nattch: areas, and a shmat() on its way.  The object's refcount: one while it can be found, one for each file of an
 *          attach: /proc/PID/map_files or remap_file_pages() may hold such a file longer than any area.
 * Locking: shm_ids()->rwsem: the sum of pages.  mmap_lock -> rwsem -> perm.lock:
 *
 *              CPU 0: shmat                            CPU 1: shmctl(IPC_RMID)
 *              lock; nattch = 1; unlock
 *              do_mmap ...                             lock; nattch != 0: marks it SHM_DEST; unlock
 *              nattch = 2 (the area)
 *              nattch = 1, not 0: stays
 * See:     spec.md §8; man 2 shmget, shmop, shmctl
 */
#include <weft/capability.h>
#include <weft/cred.h>
#include <weft/err.h>
#include <weft/file.h>
#include <weft/fs.h>
#include <weft/init.h>
#include <weft/kernel.h>
#include <weft/mm.h>
#include <weft/mman.h>
#include <weft/proc_fs.h>
#include <weft/resource.h>
#include <weft/seq_file.h>
#include <weft/shmem_fs.h>
#include <weft/signal.h>
#include <weft/slab.h>
#include <weft/syscalls.h>
#include <weft/timekeeping.h>
#include <weft/uaccess.h>
#include "util.h"

#define SHMMIN	1
#define SHMLBA	PAGE_SIZE

struct shm_segment {
	struct kern_ipc_perm	perm;
	struct file		*file;		/* [I] the pages; a reference */
	size_t			size;		/* [I] bytes, as asked for */
	unsigned long		nattch;		/* these: [perm.lock] */
	time64_t		atime, dtime, ctime;
	pid_t			cpid, lpid;	/* made by [I]; last used by */
};

static unsigned long shm_ctlmax = ULONG_MAX - (1UL << 24), shm_ctlall = ULONG_MAX - (1UL << 24);
static int shm_ctlmni = 4096;

static struct vm_operations_struct shm_vm_ops;	/* [I] shmem's, and ours to count */

static struct shm_segment *to_segment(struct kern_ipc_perm *perm)
{
	return container_of(perm, struct shm_segment, perm);
}

static unsigned long segment_pages(const struct shm_segment *seg)
{
	return (seg->size + PAGE_SIZE - 1) >> PAGE_SHIFT;
}

/* ---- the end of a segment ---- */

/* rwsem held for writing; unlocks the segment and drops the reference of being known. */
static void destroy(struct shm_segment *seg)
{
	struct file *file = seg->file;

	seg->perm.ids->total -= segment_pages(seg);
	ipc_remove(&seg->perm);
	ipc_unlock_put(&seg->perm);
	fput(file);
}

static void destroy_perm(struct kern_ipc_perm *perm)
{
	destroy(to_segment(perm));
}

/* Nothing is attached: each attach would have kept the namespace. */
void shm_exit_ns(struct ipc_namespace *ns)
{
	ipc_destroy_all(&ns->ids[IPC_SHM_IDS], destroy_perm);
}

/* One area, or the shmat() on its way, less. */
static void detach(struct shm_segment *seg, bool is_area)
{
	struct ipc_ids *ids = seg->perm.ids;

	down_write(&ids->rwsem);
	ipc_lock(&seg->perm);
	if (is_area) {
		seg->dtime = ktime_get_real_seconds();
		seg->lpid = task_tgid_nr(current);
	}
	if (--seg->nattch == 0 && (seg->perm.mode & SHM_DEST))
		destroy(seg);
	else
		ipc_unlock(&seg->perm);
	up_write(&ids->rwsem);
}

/* ---- the file of an attach ---- */

static struct shm_segment *area_segment(const struct vm_area_struct *vma)
{
	return vma->vm_file->private_data;
}

/* Also of fork, and of a split. */
static void shm_open(struct vm_area_struct *vma)
{
	struct shm_segment *seg = area_segment(vma);

	ipc_lock(&seg->perm);
	seg->nattch++;
	seg->atime = ktime_get_real_seconds();
	seg->lpid = task_tgid_nr(current);
	ipc_unlock(&seg->perm);
}

static void shm_close(struct vm_area_struct *vma)
{
	detach(area_segment(vma), true);
}

static int shm_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct shm_segment *seg = file->private_data;
	int err = 0;

	ipc_lock(&seg->perm);
	if (seg->perm.deleted)			/* remap_file_pages() has just taken the last area away */
		err = -EINVAL;
	else
		seg->nattch++;
	ipc_unlock(&seg->perm);
	if (err)
		return err;
	err = shmem_file_operations.mmap(file, vma);
	if (!err) {
		vma->vm_ops = &shm_vm_ops;
		shm_open(vma);
	}
	detach(seg, false);
	return err;
}

static int shm_release(struct inode *inode, struct file *file)
{
	struct shm_segment *seg = file->private_data;
	struct ipc_namespace *ns = seg->perm.ids->ns;

	ipc_put(&seg->perm);
	put_ipc_ns(ns);
	return 0;
}

static const struct file_operations shm_file_operations = {
	.mmap		= shm_mmap,
	.release	= shm_release,
};

/* ---- shmget ---- */

static struct file *make_file(const struct ipc_params *params)
{
	unsigned long flags = 0;
	struct file *file;
	char name[16];

	if (params->flg & SHM_HUGETLB)
		return ERR_PTR(-ENOMEM);	/* the pool of huge pages has none */
	if ((params->flg & SHM_NORESERVE) && READ_ONCE(sysctl_overcommit_memory) != OVERCOMMIT_NEVER)
		flags = VM_NORESERVE;
	snprintf(name, sizeof(name), "SYSV%08x", params->key);
	file = shmem_kernel_file_setup(name, params->size, flags);
	return file;
}

static int shm_make(const struct ipc_params *params)
{
	unsigned long pages = (params->size + PAGE_SIZE - 1) >> PAGE_SHIFT, tot;
	struct shm_segment *seg;
	int err;

	if (params->size < SHMMIN || params->size > READ_ONCE(shm_ctlmax))
		return -EINVAL;
	tot = shm_ids()->total;
	if (pages << PAGE_SHIFT < params->size || tot + pages < tot || tot + pages > READ_ONCE(shm_ctlall))
		return -ENOSPC;
	seg = kvzalloc(sizeof(*seg), GFP_KERNEL);
	if (!seg)
		return -ENOMEM;
	seg->size = params->size;
	seg->cpid = task_tgid_nr(current);
	seg->ctime = ktime_get_real_seconds();
	seg->file = make_file(params);
	if (IS_ERR(seg->file)) {
		err = PTR_ERR(seg->file);
		goto free;
	}
	err = ipc_add(shm_ids(), &seg->perm, params, READ_ONCE(shm_ctlmni));
	if (err < 0)
		goto put;
	file_inode(seg->file)->i_ino = err;	/* shown in /proc/PID/maps */
	shm_ids()->total += pages;
	return err;
put:
	fput(seg->file);
free:
	kvfree(seg);
	return err;
}

static int shm_fits(struct kern_ipc_perm *perm, const struct ipc_params *params)
{
	return to_segment(perm)->size < params->size ? -EINVAL : 0;
}

long sys_shmget(key_t key, size_t size, int shmflg)
{
	static const struct ipc_ops ops = { .make = shm_make, .fits = shm_fits };

	return ipcget(shm_ids(), &ops, &(struct ipc_params){ .key = key, .flg = shmflg, .size = size });
}

/* ---- shmat, shmdt ---- */

/* Counts the shmat() and takes the reference that its file will drop.  ERR_PTR on error. */
static struct shm_segment *begin_attach(int shmid, int rights)
{
	struct kern_ipc_perm *perm = ipc_lock_get(shm_ids(), shmid);
	int err;

	if (IS_ERR(perm))
		return ERR_CAST(perm);
	err = ipcperms(perm, rights);
	if (err) {
		ipc_unlock_put(perm);
		return ERR_PTR(err);
	}
	to_segment(perm)->nattch++;
	ipc_unlock(perm);
	return to_segment(perm);
}

static struct file *attach_file(struct shm_segment *seg, int o_flags)
{
	struct file *file = alloc_file_clone(seg->file, o_flags, &shm_file_operations);

	if (!IS_ERR(file)) {
		refcount_inc(&seg->perm.refcount);
		ns_get(&seg->perm.ids->ns->ns);
		file->private_data = seg;
	}
	return file;
}

/* The address where it lies now, or -errno. */
static unsigned long map_segment(struct file *file, unsigned long addr, size_t size, unsigned long prot, int shmflg)
{
	struct mm_struct *mm = current->mm;
	unsigned long populate = 0, ret = -EINVAL;

	if (mmap_write_lock_killable(mm))
		return -EINTR;
	if (addr && !(shmflg & SHM_REMAP) &&
	    (addr + size < addr || find_vma_intersection(mm, addr, addr + size)))
		goto unlock;
	ret = do_mmap(file, addr, size, prot, MAP_SHARED | (addr ? MAP_FIXED : 0), 0, &populate);
unlock:
	mmap_write_unlock(mm);
	if (populate)
		mm_populate(ret, populate);
	return ret;
}

long sys_shmat(int shmid, char __user *shmaddr, int shmflg)
{
	unsigned long addr = (unsigned long)shmaddr, prot = PROT_READ, ret;
	int rights = S_IRUGO, o_flags = O_RDONLY;
	struct shm_segment *seg;
	struct file *file;

	if (addr & (SHMLBA - 1)) {
		if (!(shmflg & SHM_RND))
			return -EINVAL;
		addr &= ~(SHMLBA - 1);
	}
	if (!addr && (shmflg & SHM_REMAP))
		return -EINVAL;
	if (!(shmflg & SHM_RDONLY)) {
		prot |= PROT_WRITE;
		rights |= S_IWUGO;
		o_flags = O_RDWR;
	}
	if (shmflg & SHM_EXEC) {
		prot |= PROT_EXEC;
		rights |= S_IXUGO;
	}
	seg = begin_attach(shmid, rights);
	if (IS_ERR(seg))
		return PTR_ERR(seg);
	file = attach_file(seg, o_flags);
	if (IS_ERR(file)) {
		ret = PTR_ERR(file);
	} else {
		ret = map_segment(file, addr, seg->size, prot, shmflg);
		fput(file);
	}
	detach(seg, false);
	ipc_put(&seg->perm);
	return ret;
}

/* Does the area belong to an attach that began at addr? */
static bool part_of_attach(const struct vm_area_struct *vma, unsigned long addr)
{
	return vma->vm_ops == &shm_vm_ops && vma->vm_start - addr == vma->vm_pgoff << PAGE_SHIFT;
}

/* What lies at addr may have been cut in pieces by munmap and mprotect: all that is left of that attach goes. */
static int detach_at(struct mm_struct *mm, unsigned long addr)
{
	struct vm_area_struct *vma = find_vma(mm, addr), *next;
	struct file *file;
	unsigned long end;
	int ret = 0;

	while (vma && !part_of_attach(vma, addr))
		vma = vma_next(vma);
	if (!vma)
		return -EINVAL;
	file = vma->vm_file;
	end = addr + PAGE_ALIGN(area_segment(vma)->size);
	for (; vma && vma->vm_end <= end; vma = next) {
		unsigned long start = vma->vm_start;

		next = vma_next(vma);
		if (vma->vm_file != file || !part_of_attach(vma, addr))
			continue;
		ret = do_munmap(mm, start, vma->vm_end - start);
		if (ret)
			break;
	}
	return ret;
}

long sys_shmdt(char __user *shmaddr)
{
	struct mm_struct *mm = current->mm;
	unsigned long addr = (unsigned long)shmaddr;
	int ret;

	if (addr & ~PAGE_MASK)
		return -EINVAL;
	if (mmap_write_lock_killable(mm))
		return -EINTR;
	ret = detach_at(mm, addr);
	mmap_write_unlock(mm);
	return ret;
}

/* ---- shmctl ---- */

static unsigned long swapped_pages(const struct shm_segment *seg)
{
	return READ_ONCE(SHMEM_I(file_inode(seg->file))->swapped);
}

static unsigned long resident_pages(const struct shm_segment *seg)
{
	return READ_ONCE(SHMEM_I(file_inode(seg->file))->alloced) - swapped_pages(seg);
}

static int shm_ipc_info(struct shminfo64 __user *buf)
{
	struct shminfo64 info = {
		.shmmax = shm_ctlmax, .shmmin = SHMMIN, .shmmni = shm_ctlmni, .shmseg = shm_ctlmni, .shmall = shm_ctlall,
	};
	int max;

	down_read(&shm_ids()->rwsem);
	max = ipc_max_index(shm_ids());
	up_read(&shm_ids()->rwsem);
	return shminfo_to_user(buf, &info) ? -EFAULT : max;
}

static int shm_shm_info(struct shm_info __user *buf)
{
	struct shm_info info = { 0 };
	struct kern_ipc_perm *perm;
	int max, index;

	down_read(&shm_ids()->rwsem);		/* nothing can go while it is held */
	info.used_ids = shm_ids()->in_use;
	info.shm_tot = shm_ids()->total;
	idr_for_each_entry(&shm_ids()->idr, perm, index) {
		info.shm_rss += resident_pages(to_segment(perm));
		info.shm_swp += swapped_pages(to_segment(perm));
	}
	max = ipc_max_index(shm_ids());
	up_read(&shm_ids()->rwsem);
	return shm_info_to_user(buf, &info) ? -EFAULT : max;
}

static int shm_stat(int shmid, int cmd, struct shmid_ds __user *buf)
{
	struct kern_ipc_perm *perm = cmd == IPC_STAT ? ipc_lock_get(shm_ids(), shmid) : ipc_lock_get_index(shm_ids(), shmid);
	struct shmid_ds ds = { 0 };
	struct shm_segment *seg;
	int ret = 0;

	if (IS_ERR(perm))
		return PTR_ERR(perm);
	seg = to_segment(perm);
	if (cmd != SHM_STAT_ANY)
		ret = ipcperms(perm, S_IRUGO);
	if (!ret) {
		ipc_to_user(perm, &ds.shm_perm);
		ds.shm_segsz = seg->size;
		ds.shm_atime = seg->atime;
		ds.shm_dtime = seg->dtime;
		ds.shm_ctime = seg->ctime;
		ds.shm_cpid = pid_nr_vnr(seg->cpid);
		ds.shm_lpid = pid_nr_vnr(seg->lpid);
		ds.shm_nattch = seg->nattch;
		ret = cmd == IPC_STAT ? 0 : perm->id;
	}
	ipc_unlock_put(perm);
	return ret >= 0 && shmid_to_user(buf, &ds) ? -EFAULT : ret;
}

/* IPC_RMID and IPC_SET. */
static int shm_change(int shmid, int cmd, const struct shmid_ds *in)
{
	struct kern_ipc_perm *perm;
	struct shm_segment *seg;
	int err;

	down_write(&shm_ids()->rwsem);
	perm = ipc_lock_get(shm_ids(), shmid);
	err = PTR_ERR_OR_ZERO(perm);
	if (err)
		goto up;
	seg = to_segment(perm);
	err = ipc_may_control(perm);
	if (!err && cmd == IPC_SET) {
		err = ipc_set(perm, &in->shm_perm);
		if (!err)
			seg->ctime = ktime_get_real_seconds();
	}
	if (err || cmd == IPC_SET) {
		ipc_unlock(perm);
	} else if (seg->nattch) {
		perm->mode |= SHM_DEST;
		perm->key = IPC_PRIVATE;	/* nobody finds it by key any more */
		hash_del(&perm->by_key);
		ipc_unlock(perm);
	} else {
		destroy(seg);
	}
	ipc_put(perm);
up:
	up_write(&shm_ids()->rwsem);
	return err;
}

/* SHM_LOCK, SHM_UNLOCK. */
static int shm_lock(int shmid, int cmd)
{
	struct kern_ipc_perm *perm = ipc_lock_get(shm_ids(), shmid);
	struct file *file = NULL;
	int err = 0;

	if (IS_ERR(perm))
		return PTR_ERR(perm);
	if (!ns_capable(perm->ids->ns->user_ns, CAP_IPC_LOCK)) {
		if (current_euid() != perm->uid && current_euid() != perm->cuid)
			err = -EPERM;
		else if (cmd == SHM_LOCK && !rlimit(RLIMIT_MEMLOCK))
			err = -EPERM;
	}
	if (!err) {
		if (cmd == SHM_LOCK)
			perm->mode |= SHM_LOCKED;
		else
			perm->mode &= ~SHM_LOCKED;
		file = get_file(to_segment(perm)->file);
	}
	ipc_unlock_put(perm);
	if (file) {				/* may sleep: the lock is dropped */
		shmem_set_unevictable(file_inode(file), cmd == SHM_LOCK);
		fput(file);
	}
	return err;
}

long sys_shmctl(int shmid, int cmd, struct shmid_ds __user *buf)
{
	struct shmid_ds in = { 0 };

	if (cmd < 0 || shmid < 0)
		return -EINVAL;
	switch (cmd) {
	case IPC_INFO:
		return shm_ipc_info((struct shminfo64 __user *)buf);
	case SHM_INFO:
		return shm_shm_info((struct shm_info __user *)buf);
	case IPC_STAT:
	case SHM_STAT:
	case SHM_STAT_ANY:
		return shm_stat(shmid, cmd, buf);
	case IPC_SET:
		if (shmid_from_user(&in, buf))
			return -EFAULT;
		fallthrough;
	case IPC_RMID:
		return shm_change(shmid, cmd, &in);
	case SHM_LOCK:
	case SHM_UNLOCK:
		return shm_lock(shmid, cmd);
	default:
		return -EINVAL;
	}
}

/* ---- /proc ---- */

static void shm_show(struct seq_file *m, struct kern_ipc_perm *perm)
{
	const struct shm_segment *seg = to_segment(perm);

	seq_printf(m, "%10d %10d  %4o %21lu %5u %5u  %5lu %5u %5u %5u %5u %10llu %10llu %10llu %21lu %21lu\n",
		   perm->key, perm->id, perm->mode, seg->size, pid_nr_vnr(seg->cpid), pid_nr_vnr(seg->lpid), seg->nattch,
		   perm->uid, perm->gid, perm->cuid, perm->cgid, (u64)seg->atime, (u64)seg->dtime, (u64)seg->ctime,
		   resident_pages(seg) << PAGE_SHIFT, swapped_pages(seg) << PAGE_SHIFT);
}

static const struct ipc_proc shm_proc = {
	.heading = "       key      shmid perms                  size  cpid  lpid nattch   uid   gid  cuid  cgid"
		   "      atime      dtime      ctime                   rss                  swap\n",
	.kind = IPC_SHM_IDS, .show = shm_show,
};

static const int zero, ipcmni = IPCMNI;
static const struct ctl_table shm_table[] = {
	{ "shmmax", &shm_ctlmax, sizeof(shm_ctlmax), 0644, proc_doulongvec_minmax },
	{ "shmall", &shm_ctlall, sizeof(shm_ctlall), 0644, proc_doulongvec_minmax },
	{ "shmmni", &shm_ctlmni, sizeof(shm_ctlmni), 0644, proc_dointvec_minmax, &zero, &ipcmni },
	{ }
};

static int __init shm_init(void)
{
	int err = register_sysctl("kernel", shm_table);

	shm_vm_ops = shmem_vm_ops;
	shm_vm_ops.open = shm_open;
	shm_vm_ops.close = shm_close;
	return err ? err : ipc_proc_create("shm", &shm_proc);
}
fs_initcall(shm_init);
