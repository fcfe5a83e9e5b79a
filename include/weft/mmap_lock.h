/*
 * mmap_lock.h: taking mm->mmap_lock.  For reading: the tree of areas stands still (faults, walks).  For writing: it
 * may change.  May sleep, except for the trylocks.
 */
#ifndef WEFT_MMAP_LOCK_H
#define WEFT_MMAP_LOCK_H

#include <weft/mm_types.h>
#include <weft/rwsem.h>
#include <weft/lockdep.h>

static inline void mmap_init_lock(struct mm_struct *mm) { init_rwsem(&mm->mmap_lock); }
static inline void mmap_write_lock(struct mm_struct *mm) __acquires(&mm->mmap_lock)
{
	down_write(&mm->mmap_lock);
}
static inline void mmap_write_lock_nested(struct mm_struct *mm, int subclass) __acquires(&mm->mmap_lock)
{
	down_write_nested(&mm->mmap_lock, subclass);
}
static inline int mmap_write_lock_killable(struct mm_struct *mm) __cond_acquires(0, &mm->mmap_lock)
	__no_context_analysis	/* conditional */
{
	return down_write_killable(&mm->mmap_lock);
}
static inline bool mmap_write_trylock(struct mm_struct *mm) __cond_acquires(true, &mm->mmap_lock)
	__no_context_analysis	/* conditional */
{
	return down_write_trylock(&mm->mmap_lock) != 0;
}
static inline void mmap_write_unlock(struct mm_struct *mm) __releases(&mm->mmap_lock)
{
	up_write(&mm->mmap_lock);
}
static inline void mmap_write_downgrade(struct mm_struct *mm)
{
	downgrade_write(&mm->mmap_lock);
}
static inline void mmap_read_lock(struct mm_struct *mm) __acquires_shared(&mm->mmap_lock)
{
	down_read(&mm->mmap_lock);
}
static inline int mmap_read_lock_killable(struct mm_struct *mm) __cond_acquires_shared(0, &mm->mmap_lock)
	__no_context_analysis	/* conditional */
{
	return down_read_killable(&mm->mmap_lock);
}
static inline bool mmap_read_trylock(struct mm_struct *mm) __cond_acquires_shared(true, &mm->mmap_lock)
	__no_context_analysis	/* conditional */
{
	return down_read_trylock(&mm->mmap_lock) != 0;
}
static inline void mmap_read_unlock(struct mm_struct *mm) __releases_shared(&mm->mmap_lock)
{
	up_read(&mm->mmap_lock);
}

static inline void mmap_assert_locked(struct mm_struct *mm) { lockdep_assert_held(&mm->mmap_lock); }
static inline void mmap_assert_write_locked(struct mm_struct *mm) { lockdep_assert_held_write(&mm->mmap_lock); }

#endif
