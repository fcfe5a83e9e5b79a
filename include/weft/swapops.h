/*
 * swapops.h: what a page-table entry says about a page that is in swap.
 *
 * Idea:    swp_entry_t names a slot: which swap area, which page of it.  As a page-table entry (asm/pgtable_types.h has the
 *          bits) the slot stands inverted, so that a processor that speculates past "not present" finds an address where
 *          there is no memory (L1TF).  An entry that is neither none nor present is always a swap entry.
 * See:     swap.h
 */
#ifndef WEFT_SWAPOPS_H
#define WEFT_SWAPOPS_H

#include <weft/types.h>
#include <weft/xarray.h>
#include <asm/pgtable.h>

#define MAX_SWAPFILES_SHIFT	5
#define MAX_SWAPFILES		(1U << MAX_SWAPFILES_SHIFT)
#define SWP_OFFSET_BITS		50
#define SWP_OFFSET_MAX		((1UL << (SWP_OFFSET_BITS - 1)) - 1)	/* so that the inverted word is never 0 */

typedef struct { unsigned long val; } swp_entry_t;	/* type in the top 5 bits; 0: none (slot 0 holds the header) */

#define _SWP_SOFT_DIRTY		(1UL << 1)
#define _SWP_UFFD_WP		(1UL << 2)
#define _SWP_TYPE_SHIFT		9
#define _SWP_OFFSET_SHIFT	14

static inline swp_entry_t swp_entry(unsigned int type, pgoff_t offset)
{
	return (swp_entry_t){ (unsigned long)type << (64 - MAX_SWAPFILES_SHIFT) | offset };
}
static inline unsigned int swp_type(swp_entry_t e) { return e.val >> (64 - MAX_SWAPFILES_SHIFT); }
static inline pgoff_t swp_offset(swp_entry_t e) { return e.val & ((1UL << (64 - MAX_SWAPFILES_SHIFT)) - 1); }

static inline bool is_swap_pte(pte_t pte) { return !pte_none(pte) && !pte_present(pte); }
static inline pte_t swp_entry_to_pte(swp_entry_t e)
{
	return __pte(~swp_offset(e) << _SWP_OFFSET_SHIFT | (unsigned long)swp_type(e) << _SWP_TYPE_SHIFT);
}
static inline swp_entry_t pte_to_swp_entry(pte_t pte)
{
	return swp_entry((pte_val(pte) >> _SWP_TYPE_SHIFT) & (MAX_SWAPFILES - 1), ~pte_val(pte) >> _SWP_OFFSET_SHIFT);
}
/* The slot of a tmpfs page stands in its file's i_pages, as a number. */
static inline void *swp_to_xa_value(swp_entry_t e)
{
	return xa_mk_value(swp_offset(e) << MAX_SWAPFILES_SHIFT | swp_type(e));
}
static inline swp_entry_t xa_value_to_swp(const void *entry)
{
	unsigned long v = xa_to_value(entry);

	return swp_entry(v & (MAX_SWAPFILES - 1), v >> MAX_SWAPFILES_SHIFT);
}
static inline pte_t pte_swp_mksoft_dirty(pte_t pte) { return __pte(pte_val(pte) | _SWP_SOFT_DIRTY); }
static inline pte_t pte_swp_clear_soft_dirty(pte_t pte) { return __pte(pte_val(pte) & ~_SWP_SOFT_DIRTY); }
static inline bool pte_swp_soft_dirty(pte_t pte) { return pte_val(pte) & _SWP_SOFT_DIRTY; }
static inline pte_t pte_swp_mkuffd_wp(pte_t pte) { return __pte(pte_val(pte) | _SWP_UFFD_WP); }
static inline pte_t pte_swp_clear_uffd_wp(pte_t pte) { return __pte(pte_val(pte) & ~_SWP_UFFD_WP); }
static inline bool pte_swp_uffd_wp(pte_t pte) { return pte_val(pte) & _SWP_UFFD_WP; }
static inline pte_t pte_swp_clear_notes(pte_t pte) { return pte_swp_clear_uffd_wp(pte_swp_clear_soft_dirty(pte)); }
/* The same slot, whatever is noted beside it. */
static inline bool pte_same_as_swp(pte_t pte, pte_t swp)
{
	return pte_same(pte_swp_clear_notes(pte), pte_swp_clear_notes(swp));
}

#endif
