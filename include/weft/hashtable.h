/* hashtable.h: arrays of hlist heads whose size is a power of two. */
#ifndef WEFT_HASHTABLE_H
#define WEFT_HASHTABLE_H

#include <weft/kernel.h>
#include <weft/list.h>
#include <weft/rculist.h>
#include <weft/hash.h>

#define DEFINE_HASHTABLE(name, bits)	struct hlist_head name[1 << (bits)]
#define DECLARE_HASHTABLE(name, bits)	struct hlist_head name[1 << (bits)]
#define HASH_SIZE(name)			(ARRAY_SIZE(name))
#define HASH_BITS(name)			ilog2(HASH_SIZE(name))
#define hash_min(val, bits)		(sizeof(val) <= 4 ? hash_32((u32)(val), bits) : hash_64(val, bits))
#define hash_init(t) do {							\
	for (unsigned int __i = 0; __i < HASH_SIZE(t); __i++)			\
		INIT_HLIST_HEAD(&(t)[__i]);					\
} while (0)
#define hash_add(t, node, key)		hlist_add_head(node, &(t)[hash_min(key, HASH_BITS(t))])
#define hash_add_rcu(t, node, key)	hlist_add_head_rcu(node, &(t)[hash_min(key, HASH_BITS(t))])
#define hash_del(node)			hlist_del_init(node)
#define hash_del_rcu(node)		hlist_del_init_rcu(node)
#define hash_hashed(node)		(!hlist_unhashed(node))
#define hash_for_each(t, bkt, obj, member) \
	for ((bkt) = 0, obj = NULL; obj == NULL && (bkt) < (int)HASH_SIZE(t); (bkt)++) \
		hlist_for_each_entry(obj, &(t)[bkt], member)
#define hash_for_each_possible(t, obj, member, key) \
	hlist_for_each_entry(obj, &(t)[hash_min(key, HASH_BITS(t))], member)
#define hash_for_each_possible_rcu(t, obj, member, key) \
	hlist_for_each_entry_rcu(obj, &(t)[hash_min(key, HASH_BITS(t))], member)
#define hash_for_each_possible_safe(t, obj, tmp, member, key) \
	hlist_for_each_entry_safe(obj, tmp, &(t)[hash_min(key, HASH_BITS(t))], member)

#endif
