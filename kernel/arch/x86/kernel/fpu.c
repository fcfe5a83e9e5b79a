/*
 * fpu.c: saving and loading the vector registers.
 *
 * Idea:    see asm/fpu.h.  Two facts decide whether a load can be skipped: this CPU's fpu_fpregs_owner_ctx still points
 *          to the task, and the task's last_cpu is this CPU (so nobody saved it elsewhere in between).
 *
 *          CPU 0                                   CPU 1
 *          A runs, is switched away: saved
 *            owner(0) = A, A.last_cpu = 0
 *                                                  A runs, changes xmm0, is switched away
 *                                                    owner(1) = A, A.last_cpu = 1
 *          A comes back: owner(0) == A, but
 *          A.last_cpu != 0: must load
 * Locking: [c] interrupts off in fpu_save_registers() and switch_fpu_return(); fpregs_lock() elsewhere.
 * See:     spec.md §2; Intel SDM 1 chapter 13 (XSAVE)
 */
#include <weft/kernel.h>
#include <weft/init.h>
#include <weft/sched.h>
#include <weft/slab.h>
#include <weft/smp.h>
#include <weft/string.h>
#include <weft/uaccess.h>
#include <weft/mm.h>
#include <asm/asm.h>
#include <asm/fpu.h>
#include <asm/ia32.h>
#include <asm/processor.h>

#define XFEATURE_FP_SSE		0x03ULL
#define XFEATURE_AVX		0x04ULL
#define XFEATURE_AVX512		0xe0ULL
#define MXCSR_DEFAULT		0x1f80
#define FP_XSTATE_MAGIC1	0x46505853U
#define FP_XSTATE_MAGIC2	0x46505845U

/* What a signal frame says about the XSAVE image it holds, in the legacy part's last 48 bytes. */
struct fpx_sw_bytes {
	u32 magic1;
	u32 extended_size;	/* with the trailing magic2 */
	u64 xfeatures;
	u32 xstate_size;
	u32 padding[7];
};
static_assert(sizeof(struct fpx_sw_bytes) == 48);

unsigned int fpu_user_xstate_size __ro_after_init = sizeof(struct fxregs_state);
u64 fpu_user_xfeatures __ro_after_init = XFEATURE_FP_SSE;
static struct kmem_cache *fpstate_cachep __ro_after_init;
static struct xregs_state *init_fpstate __ro_after_init;	/* what a program and a signal handler begin with */
static bool use_xsave __ro_after_init, use_xsaveopt __ro_after_init;
static u32 mxcsr_feature_mask __ro_after_init = 0xffff;

DEFINE_PER_CPU(struct fpu *, fpu_fpregs_owner_ctx);

static void xsetbv(u32 index, u64 value)
{
	asm volatile("xsetbv" : : "c" (index), "a" ((u32)value), "d" ((u32)(value >> 32)));
}

static void xrstor(const struct xregs_state *state)
{
	if (use_xsave)
		asm volatile("xrstor64 %0" : : "m" (*state), "a" (-1), "d" (-1) : "memory");
	else
		asm volatile("fxrstor64 %0" : : "m" (*state) : "memory");
}

static void xsave(struct xregs_state *state)
{
	if (use_xsaveopt)
		asm volatile("xsaveopt64 %0" : "+m" (*state) : "a" (-1), "d" (-1) : "memory");
	else if (use_xsave)
		asm volatile("xsave64 %0" : "+m" (*state) : "a" (-1), "d" (-1) : "memory");
	else
		asm volatile("fxsave64 %0" : "+m" (*state) : : "memory");
}

void fpu_init_cpu(void)
{
	if (use_xsave)
		xsetbv(0, fpu_user_xfeatures);
	asm volatile("fninit");
}

void __init fpu_init_system(void)
{
	static struct fxregs_state fx __initdata __aligned(16);
	u32 eax, ebx, ecx, edx;

	use_xsave = boot_cpu_has(X86_FEATURE_XSAVE);
	use_xsaveopt = use_xsave && boot_cpu_has(X86_FEATURE_XSAVEOPT);
	if (use_xsave) {
		cpuid_count(0xd, 0, &eax, &ebx, &ecx, &edx);
		fpu_user_xfeatures = eax & (XFEATURE_FP_SSE | XFEATURE_AVX | XFEATURE_AVX512);
		if ((eax & XFEATURE_AVX512) != XFEATURE_AVX512)
			fpu_user_xfeatures &= ~XFEATURE_AVX512;
	}
	fpu_init_cpu();
	if (use_xsave) {
		cpuid_count(0xd, 0, &eax, &ebx, &ecx, &edx);	/* ebx: for what XCR0 enables now */
		fpu_user_xstate_size = ebx;
	}
	/* The mask of MXCSR bits that may be set, as FXSAVE reports it. */
	asm volatile("fxsave64 %0" : "=m" (fx));
	if (fx.mxcsr_mask)
		mxcsr_feature_mask = fx.mxcsr_mask;
}

static void fpstate_init(struct xregs_state *state)
{
	memset(state, 0, fpu_user_xstate_size);
	state->i387.cwd = 0x37f;
	state->i387.mxcsr = MXCSR_DEFAULT;
	/* xfeatures 0: XRSTOR puts every component into its initial state, and XSAVEOPT may leave those parts unwritten. */
}

void __init fpu_caches_init(void)
{
	fpstate_cachep = kmem_cache_create("fpstate", fpu_user_xstate_size, 64, SLAB_PANIC, NULL);
	init_fpstate = kmem_cache_alloc(fpstate_cachep, GFP_KERNEL | __GFP_NOFAIL);
	fpstate_init(init_fpstate);
}

/* This CPU's registers into fpu->state; they stay valid.  Interrupts or preemption off. */
void fpu_save_registers(struct fpu *fpu)
{
	xsave(fpu->state);
	this_cpu_write(fpu_fpregs_owner_ctx, fpu);
	fpu->last_cpu = raw_smp_processor_id();
}

/* This CPU's registers now hold current's state.  Interrupts or preemption off. */
static void fpregs_activate(struct fpu *fpu)
{
	this_cpu_write(fpu_fpregs_owner_ctx, fpu);
	fpu->last_cpu = raw_smp_processor_id();
	clear_thread_flag(TIF_NEED_FPU_LOAD);
}

void switch_fpu_return(void)
{
	struct fpu *fpu = &current->thread.fpu;

	clear_thread_flag(TIF_NEED_FPU_LOAD);
	if (!fpu->state)
		return;
	if (this_cpu_read(fpu_fpregs_owner_ctx) == fpu && fpu->last_cpu == raw_smp_processor_id())
		return;
	xrstor(fpu->state);
	fpregs_activate(fpu);
}

/* Before somebody else writes fpu->state: no CPU's registers count for it any more.  Interrupts or preemption off. */
static void fpregs_deactivate(struct fpu *fpu)
{
	if (this_cpu_read(fpu_fpregs_owner_ctx) == fpu)
		this_cpu_write(fpu_fpregs_owner_ctx, NULL);
	fpu->last_cpu = -1;
	set_thread_flag(TIF_NEED_FPU_LOAD);
}

/* XSAVE leaves out what is in its initial state: zeros, but for two control words. */
static void sanitize_unwritten(struct xregs_state *s)
{
	u64 missing = fpu_user_xfeatures & ~s->header.xfeatures;

	if (missing & 1) {
		memset(&s->i387, 0, offsetof(struct fxregs_state, mxcsr));
		s->i387.cwd = 0x37f;
		memset(s->i387.st_space, 0, sizeof(s->i387.st_space));
	}
	if (missing & 2)
		memset(s->i387.xmm_space, 0, sizeof(s->i387.xmm_space));
	for (u32 i = 2; i < 63; i++) {
		u32 size, offset, ecx, edx;

		if (!(missing >> i & 1))
			continue;
		cpuid_count(0xd, i, &size, &offset, &ecx, &edx);
		memset((char *)s + offset, 0, size);
	}
}

/* A copy of current's state in memory that nobody uses yet: from the registers when it is there. */
static void copy_state_of_current(struct xregs_state *dst)
{
	struct fpu *fpu = &current->thread.fpu;

	/* XSAVE, unlike XSAVEOPT, writes every component; of the header it writes the first word only.  FXSAVE has none. */
	if (use_xsave)
		memset(&dst->header, 0, sizeof(dst->header));
	fpregs_lock();
	if (test_thread_flag(TIF_NEED_FPU_LOAD))
		memcpy(dst, fpu->state, fpu_user_xstate_size);
	else if (use_xsave)
		asm volatile("xsave64 %0" : "+m" (*dst) : "a" (-1), "d" (-1) : "memory");
	else
		asm volatile("fxsave64 %0" : "+m" (*dst) : : "memory");
	fpregs_unlock();
}

/*
 * For a tracer, of a task that does not run (or current): the whole image, standard format, every component written, with
 * XCR0 where debuggers look for it.
 */
void fpu_get_state(struct task_struct *tsk, struct xregs_state *dst)
{
	if (tsk == current)
		copy_state_of_current(dst);
	else
		memcpy(dst, tsk->thread.fpu.state, fpu_user_xstate_size);
	if (use_xsave)
		sanitize_unwritten(dst);
	memset(dst->i387.sw_reserved, 0, sizeof(dst->i387.sw_reserved));
	if (use_xsave)
		memcpy(dst->i387.sw_reserved, &fpu_user_xfeatures, sizeof(fpu_user_xfeatures));
}

/* tsk is stopped for its tracer.  0, or -EINVAL: the processor would refuse it. */
int fpu_set_state(struct task_struct *tsk, const struct xregs_state *src, size_t size)
{
	struct fpu *fpu = &tsk->thread.fpu;

	if (use_xsave && size > sizeof(struct fxregs_state)) {
		if ((src->header.xfeatures & ~fpu_user_xfeatures) || src->header.xcomp_bv ||
		    memchr_inv(src->header.reserved, 0, sizeof(src->header.reserved)))
			return -EINVAL;
	}
	if (src->i387.mxcsr & ~mxcsr_feature_mask)
		return -EINVAL;
	memcpy(fpu->state, src, size);
	if (use_xsave && size <= sizeof(struct fxregs_state))
		fpu->state->header.xfeatures |= XFEATURE_FP_SSE;
	fpu->last_cpu = -1;	/* no CPU's registers count for it any more */
	return 0;
}

int fpu_clone(struct task_struct *dst, bool kthread)
{
	struct fpu *fpu = &dst->thread.fpu, *src = &current->thread.fpu;

	fpu->last_cpu = -1;
	clear_tsk_thread_flag(dst, TIF_NEED_FPU_LOAD);
	if (kthread)
		return 0;
	fpu->state = kmem_cache_alloc(fpstate_cachep, GFP_KERNEL);
	if (!fpu->state)
		return -ENOMEM;
	set_tsk_thread_flag(dst, TIF_NEED_FPU_LOAD);
	if (src->state)
		copy_state_of_current(fpu->state);
	else
		fpstate_init(fpu->state);
	return 0;
}

void fpu_free(struct task_struct *tsk)
{
	struct fpu *fpu = &tsk->thread.fpu;
	struct xregs_state *state = fpu->state;
	unsigned long flags;

	if (!state)
		return;
	local_irq_save(flags);
	if (tsk == current) {
		if (this_cpu_read(fpu_fpregs_owner_ctx) == fpu)
			this_cpu_write(fpu_fpregs_owner_ctx, NULL);
		clear_thread_flag(TIF_NEED_FPU_LOAD);
	}
	fpu->state = NULL;
	fpu->last_cpu = -1;
	local_irq_restore(flags);
	kmem_cache_free(fpstate_cachep, state);
}

/*
 * execve, past the point of no return.  A kernel thread that becomes a program (pid 1) gets its memory here; there is no
 * way to report failure, so the allocation may not fail.
 */
void fpu_flush_thread(void)
{
	struct fpu *fpu = &current->thread.fpu;

	if (!fpu->state) {
		fpu->state = kmem_cache_alloc(fpstate_cachep, GFP_KERNEL | __GFP_NOFAIL);
		fpstate_init(fpu->state);
	}
	fpregs_lock();
	xrstor(init_fpstate);
	fpregs_activate(fpu);
	fpregs_unlock();
}

/* ---- signal frames ---- */

static unsigned long sigframe_size(void)
{
	return fpu_user_xstate_size + (use_xsave ? sizeof(u32) : 0);	/* magic2 behind the image */
}

unsigned long fpu__alloc_mathframe(unsigned long sp, int ia32_frame, unsigned long *buf_fx, unsigned long *size)
{
	*size = sigframe_size();
	sp = round_down(sp - *size, 64);
	*buf_fx = sp;
	if (ia32_frame) {
		sp -= sizeof(struct fregs_state);
		*size += sizeof(struct fregs_state);
	}
	return sp;
}

/* The registers straight to user memory and back.  Inside stac/clac; false: a fault, or refused by the processor. */
static bool xsave_user(struct xregs_state __user *to)
{
	if (use_xsave)
		asm volatile goto("1: xsave64 (%0)\n" _ASM_EXTABLE(1b, %l[fault])
				  : : "r" (to), "a" (-1), "d" (-1) : "memory" : fault);
	else
		asm volatile goto("1: fxsave64 (%0)\n" _ASM_EXTABLE(1b, %l[fault]) : : "r" (to) : "memory" : fault);
	return true;
fault:
	return false;
}

static bool xrstor_user(const struct xregs_state __user *from)
{
	asm volatile goto("1: xrstor64 (%0)\n" _ASM_EXTABLE(1b, %l[fault])
			  : : "r" (from), "a" (-1), "d" (-1) : "memory" : fault);
	return true;
fault:
	return false;
}

/* current's registers to its own user memory.  False: not all of it was there, which may be mended by faulting it in. */
static bool save_to_frame(struct xregs_state __user *to)
{
	bool done;

	fpregs_lock();
	if (test_thread_flag(TIF_NEED_FPU_LOAD))
		switch_fpu_return();
	pagefault_disable();
	stac();
	done = xsave_user(to);
	clac();
	pagefault_enable();
	fpregs_unlock();
	return done;
}

/* In front of the image at buf_fx: the same registers as FSAVE writes them. */
static bool put_fregs(struct fregs_state __user *buf, const void __user *buf_fx)
{
	struct fregs_state env;
	struct fxregs_state fx;

	if (copy_from_user(&fx, buf_fx, sizeof(fx)))
		return false;
	fregs_from_fxregs(&env, &fx);
	return !copy_to_user(buf, &env, sizeof(env));
}

bool copy_fpstate_to_sigframe(void __user *buf, void __user *buf_fx, int size)
{
	struct xregs_state __user *image = buf_fx;
	struct fpx_sw_bytes sw = {
		.magic1 = FP_XSTATE_MAGIC1,
		.extended_size = (u32)sigframe_size(),
		.xfeatures = fpu_user_xfeatures,
		.xstate_size = fpu_user_xstate_size,
	};
	u32 __user *magic2 = (u32 __user *)((char __user *)buf_fx + fpu_user_xstate_size);

	if (!access_ok(buf, (unsigned long)size))
		return false;
	if (use_xsave && clear_user(&image->header, sizeof(image->header)))
		return false;
	while (!save_to_frame(image))
		if (fault_in_writeable(buf_fx, sigframe_size()))
			return false;
	if (buf != buf_fx && !put_fregs(buf, buf_fx))
		return false;
	if (!use_xsave)
		return true;
	return !copy_to_user(&image->i387.sw_reserved, &sw, sizeof(sw)) && !put_user(FP_XSTATE_MAGIC2, magic2);
}

/* Does the frame hold a whole XSAVE image of a size that we know, or only the legacy part? */
static bool frame_has_xstate(const char __user *buf, struct fpx_sw_bytes *sw)
{
	u32 magic2;

	return !copy_from_user(sw, buf + offsetof(struct fxregs_state, sw_reserved), sizeof(*sw)) &&
	       sw->magic1 == FP_XSTATE_MAGIC1 && sw->xstate_size == fpu_user_xstate_size &&
	       !get_user(magic2, (const u32 __user *)(buf + sw->xstate_size)) && magic2 == FP_XSTATE_MAGIC2;
}

/* Only values that XRSTOR accepts: what a program put into the frame must not fault in the kernel. */
static void sanitize_state(struct xregs_state *state, u64 frame_features)
{
	state->i387.mxcsr &= mxcsr_feature_mask;
	if (!use_xsave)
		return;
	state->header.xfeatures &= fpu_user_xfeatures & frame_features;
	state->header.xcomp_bv = 0;
	memset(state->header.reserved, 0, sizeof(state->header.reserved));
}

/*
 * The short way for a frame as we made it: the processor itself checks what it loads.  False: it is not in memory, or not
 * acceptable as it is; then the registers are lost, and the caller has said so already.
 */
static bool load_from_frame(struct fpu *fpu, const struct xregs_state __user *from)
{
	bool done;

	pagefault_disable();
	stac();
	done = xrstor_user(from);
	clac();
	pagefault_enable();
	if (done)
		fpregs_activate(fpu);
	return done;
}

bool fpu__restore_sig(void __user *buf, int ia32_frame)
{
	struct fpu *fpu = &current->thread.fpu;
	struct fpx_sw_bytes sw;
	unsigned long size = sizeof(struct fxregs_state);
	u64 features = XFEATURE_FP_SSE;
	struct fregs_state env;
	bool whole, done;

	if (!buf) {
		fpu_flush_thread();
		return true;
	}
	if (ia32_frame) {
		if (copy_from_user(&env, buf, sizeof(env)))
			return false;
		buf += sizeof(env);
	}
	whole = use_xsave && frame_has_xstate(buf, &sw);
	if (whole) {
		size = fpu_user_xstate_size;
		features = sw.xfeatures;
	}
	/* From here on the registers are stale: a switch in the middle of the copy must not save them over the new state. */
	fpregs_lock();
	fpregs_deactivate(fpu);
	done = !ia32_frame && whole && features == fpu_user_xfeatures && load_from_frame(fpu, buf);
	fpregs_unlock();
	if (done)
		return true;
	if (copy_from_user(fpu->state, buf, size)) {
		fpstate_init(fpu->state);
		return false;
	}
	if (ia32_frame)		/* what the program sees first counts */
		fregs_to_fxregs(&fpu->state->i387, &env);
	if (use_xsave && !whole)
		fpu->state->header.xfeatures = XFEATURE_FP_SSE;
	sanitize_state(fpu->state, features);
	return true;
}
