// SPDX-License-Identifier: GPL-2.0
/* Locks, slab caches, per-CPU counters and nodes. */

#include <linux/cpumask.h>
#include <linux/mm.h>
#include <linux/nodemask.h>
#include <linux/percpu.h>
#include <linux/prefetch.h>
#include <linux/slab.h>
#include <linux/topology.h>

#include <fastnat/shim.h>

/* Each use of the macro below is a lock class of its own for lockdep. */
#define FASTNAT_LOCKS_INIT(first, stride, count)				\
	do {									\
		size_t i;							\
										\
		for (i = 0; i < (count); i++) {					\
			spin_lock_init((spinlock_t *)((first) + i * (stride)));	\
			cond_resched();						\
		}								\
	} while (0)

void fastnat_shim_buckets_init(void *first, size_t stride, size_t count)
{
	FASTNAT_LOCKS_INIT(first, stride, count);
}

void fastnat_shim_slots_init(void *first, size_t stride, size_t count)
{
	FASTNAT_LOCKS_INIT(first, stride, count);
}

void fastnat_shim_making_init(void *first, size_t stride, size_t count)
{
	FASTNAT_LOCKS_INIT(first, stride, count);
}

void fastnat_shim_blocks_init(void *first, size_t stride, size_t count)
{
	FASTNAT_LOCKS_INIT(first, stride, count);
}

void fastnat_shim_held_init(void *first, size_t stride, size_t count)
{
	FASTNAT_LOCKS_INIT(first, stride, count);
}

void fastnat_shim_lock_prefetch(const spinlock_t *lock)
{
	prefetchw(lock);
}

void fastnat_shim_lock_bh(spinlock_t *lock)
{
	spin_lock_bh(lock);
}

void fastnat_shim_lock_second(spinlock_t *lock)
{
	spin_lock_nested(lock, SINGLE_DEPTH_NESTING);
}

void fastnat_shim_unlock(spinlock_t *lock)
{
	spin_unlock(lock);
}

void fastnat_shim_unlock_bh(spinlock_t *lock)
{
	spin_unlock_bh(lock);
}

struct kmem_cache *fastnat_shim_cache_create(const char *name, unsigned int size,
					     unsigned int align)
{
	return kmem_cache_create(name, size, align, 0, NULL);
}

unsigned int fastnat_shim_cache_object_size(struct kmem_cache *cache)
{
	return cache ? kmem_cache_size(cache) : 0;
}

void *fastnat_shim_cache_alloc(struct kmem_cache *cache, int node)
{
	return kmem_cache_alloc_node(cache, GFP_ATOMIC | __GFP_NOWARN, node);
}

/* Rust has no per-CPU address space: for it these are plain pointers. */
static u64 __percpu *fastnat_percpu(void *counters)
{
	return (u64 __percpu __force *)(unsigned long)counters;
}

void *fastnat_shim_counters_alloc(unsigned int count)
{
	void __percpu *counters = __alloc_percpu(count * sizeof(u64), sizeof(u64));

	return (void *)(unsigned long __force)counters;
}

void fastnat_shim_counters_free(void *counters)
{
	free_percpu(fastnat_percpu(counters));
}

void fastnat_shim_counter_inc(void *counters, unsigned int index)
{
	this_cpu_inc(fastnat_percpu(counters)[index]);
}

/* Adds to this counter and the next. */
void fastnat_shim_counters_add(void *counters, unsigned int index, unsigned int first,
			       unsigned int second)
{
	this_cpu_add(fastnat_percpu(counters)[index], first);
	this_cpu_add(fastnat_percpu(counters)[index + 1], second);
}

u64 fastnat_shim_counter_get(void *counters, unsigned int index, int cpu)
{
	return READ_ONCE(*per_cpu_ptr(fastnat_percpu(counters) + index, cpu));
}

/* Bytes of memory that can be had without taking it from programs. */
u64 fastnat_shim_available_memory(void)
{
	return (u64)max(si_mem_available(), 0L) << PAGE_SHIFT;
}

/* Bytes of memory that the kernel manages. */
u64 fastnat_shim_memory(void)
{
	return (u64)totalram_pages() << PAGE_SHIFT;
}

/* The node of this CPU. It may be one without memory: not every architecture looks further. */
int fastnat_shim_this_node(void)
{
	return numa_mem_id();
}

/* The node of a CPU, or -1; as above. */
int fastnat_shim_cpu_node(int cpu)
{
	return cpu_to_mem(cpu);
}

/* The next CPU that there can be after this one, or -1; begin with -1. */
int fastnat_shim_next_cpu(int cpu)
{
	cpu = cpumask_next(cpu, cpu_possible_mask);
	return cpu < (int)nr_cpu_ids ? cpu : -1;
}

/* The next node with memory for the kernel after this one, or -1; begin with -1. */
int fastnat_shim_next_node(int node)
{
	node = next_node(node, node_states[N_NORMAL_MEMORY]);
	return node < MAX_NUMNODES ? node : -1;
}

/* One more than the highest number that a node can have. */
int fastnat_shim_node_ids(void)
{
	return nr_node_ids;
}

int fastnat_shim_node_distance(int from, int to)
{
	return node_distance(from, to);
}
