/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The contract between the C and the Rust side of the module.
 *
 * fastnat_shim_*: C for Rust, a wrapper of one kernel macro or inline function
 * each, without decisions. fastnat_rs_*: Rust for C. bindgen reads this file.
 */
#ifndef _FASTNAT_SHIM_H
#define _FASTNAT_SHIM_H

#include <linux/netfilter.h>
#include <linux/skbuff.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>
#include <net/genetlink.h>
#include <uapi/linux/fastnat.h>

#include "netlink-gen.h"

struct kmem_cache;

/* lock.c: locks, slab caches, per-CPU counters, nodes */
void fastnat_shim_buckets_init(void *first, size_t stride, size_t count);
void fastnat_shim_slots_init(void *first, size_t stride, size_t count);
void fastnat_shim_making_init(void *first, size_t stride, size_t count);
void fastnat_shim_blocks_init(void *first, size_t stride, size_t count);
void fastnat_shim_held_init(void *first, size_t stride, size_t count);
void fastnat_shim_lock_prefetch(const spinlock_t *lock);
void fastnat_shim_lock_bh(spinlock_t *lock);
void fastnat_shim_lock_second(spinlock_t *lock);
void fastnat_shim_unlock(spinlock_t *lock);
void fastnat_shim_unlock_bh(spinlock_t *lock);

struct kmem_cache *fastnat_shim_cache_create(const char *name, unsigned int size,
					     unsigned int align);
unsigned int fastnat_shim_cache_object_size(struct kmem_cache *cache);
void *fastnat_shim_cache_alloc(struct kmem_cache *cache, int node);

void *fastnat_shim_counters_alloc(unsigned int count);
void fastnat_shim_counters_free(void *counters);
void fastnat_shim_counter_inc(void *counters, unsigned int index);
void fastnat_shim_counters_add(void *counters, unsigned int index, unsigned int first,
			       unsigned int second);
u64 fastnat_shim_counter_get(void *counters, unsigned int index, int cpu);

u64 fastnat_shim_memory(void);
u64 fastnat_shim_available_memory(void);
int fastnat_shim_this_node(void);
int fastnat_shim_cpu_node(int cpu);
int fastnat_shim_next_cpu(int cpu);
int fastnat_shim_next_node(int node);
int fastnat_shim_node_ids(void);
int fastnat_shim_node_distance(int from, int to);

/* time.c */
int fastnat_shim_clock_register(void);
void fastnat_shim_clock_unregister(void);
/* How long the machine slept, in jiffies, which stand still meanwhile. */
extern u32 fastnat_shim_slept;
void fastnat_shim_resched(void);

/* sysctl.c */
enum fastnat_sysctl_number {
	FASTNAT_SYSCTL_FLOWS,
	FASTNAT_SYSCTL_BINDINGS,
	FASTNAT_SYSCTL_MAX_FLOWS,
	FASTNAT_SYSCTL_MAX_BINDINGS,
	FASTNAT_SYSCTL_BUCKETS,
};

void *fastnat_shim_sysctl_register(struct net *net, const void *state);
void fastnat_shim_sysctl_unregister(void *registered);

/* skb.c */
bool fastnat_shim_skb_pull(struct sk_buff *skb, unsigned int len);
bool fastnat_shim_skb_csum_partial(struct sk_buff *skb);
void fastnat_shim_skb_untrack(struct sk_buff *skb, bool drop_entry);
bool fastnat_shim_skb_icmp_csum_ok(struct sk_buff *skb, unsigned int hook,
				   unsigned int offset);
u32 fastnat_shim_skb_mark(const struct sk_buff *skb);
void fastnat_shim_skb_set_mark(struct sk_buff *skb, u32 mark);
bool fastnat_shim_skb_forwarded(const struct sk_buff *skb);

/* dev.c: addresses and the notifier that watches them */
__be32 fastnat_shim_primary_addr(const struct net_device *dev);
__be32 fastnat_shim_masquerade_addr(const struct sk_buff *skb,
				    struct net_device *out);
void fastnat_shim_dev_name(const struct net_device *dev, u8 *name);
u32 fastnat_shim_dev_index(const struct net_device *dev);
u32 fastnat_shim_dev_group(const struct net_device *dev);
struct net_device *fastnat_shim_dev_named(struct net *net, const char *name);
struct net_device *fastnat_shim_dev_numbered(struct net *net, u32 ifindex);
/* Has there been a VRF since the module was loaded? */
extern bool fastnat_shim_vrf_seen;
u32 fastnat_shim_dev_vrf(const struct net_device *dev);
struct net_device *fastnat_shim_dev_next(struct net *net, struct net_device *dev);
bool fastnat_shim_dev_is_internal(const struct net_device *dev);
bool fastnat_shim_dev_has_addr(const struct net_device *dev, __be32 addr);
bool fastnat_shim_dev_masquerades_as(const struct net_device *dev, __be32 addr);
bool fastnat_shim_dev_has_any_addr(const struct net_device *dev);
bool fastnat_shim_dev_is_up(const struct net_device *dev);
bool fastnat_shim_net_has_rules(const struct net *net);
bool fastnat_shim_dev_routes_localnet(const struct net_device *dev);
bool fastnat_shim_net_routes_localnet(struct net *net);
u32 fastnat_shim_route_generation(struct net *net);
struct net_device *fastnat_shim_addr_dev(struct net *net, __be32 addr);
int fastnat_shim_addr_notifier_register(void);
void fastnat_shim_addr_notifier_unregister(void);

/* route.c: the one shim that decides; it says of a packet what ip_forward() would */
struct fastnat_route {
	struct dst_entry *dst;
	struct net *net;
	struct net_device *in;
	struct net_device *out;
	int genid;
	u32 mark;
	u32 mtu;
	__be32 gateway;
	u8 dscp;
};

/* Why not, as the number of an error. */
enum fastnat_fit {
	FASTNAT_UNFIT_KEY = 1,
	FASTNAT_UNFIT_ROUTE,
	FASTNAT_UNFIT_HEADER,
	FASTNAT_UNFIT_SIZE,
	FASTNAT_UNFIT_PACKET,
	FASTNAT_UNFIT_NEIGHBOUR,
};

bool fastnat_shim_route_learn(const struct sk_buff *skb, struct net_device *in,
			      struct net_device *out, struct fastnat_route *route);
void fastnat_shim_route_release(struct fastnat_route *route);
bool fastnat_shim_route_is(const struct fastnat_route *route, const struct sk_buff *skb,
			   const struct net_device *in);
bool fastnat_shim_route_is_valid(const struct fastnat_route *route);
struct neighbour *fastnat_shim_route_fit(const struct fastnat_route *route, struct sk_buff *skb,
					 const struct net_device *in, __be32 daddr);
void fastnat_shim_route_forward(const struct fastnat_route *route, struct sk_buff *skb,
				struct neighbour *neigh);

/* ingress.c */
u64 fastnat_shim_early_swap(u64 hash);
bool fastnat_shim_early_rest(u64 *hash);
void fastnat_shim_prefetch(const void *line);
struct net_device *fastnat_shim_dev_get(struct net *net, const char *name);
void fastnat_shim_dev_put(struct net_device *dev);
int fastnat_shim_dev_notifier_register(void);
void fastnat_shim_dev_notifier_unregister(void);

/* gro.c */

/* Bytes of a TCP header with the timestamp option alone. */
#define FASTNAT_GRO_TCP_LEN 32

/* A packet that GRO receives, and the one that is held of its flow. */
struct fastnat_gro {
	int which;
	struct list_head *head;
	struct sk_buff *skb;
	/* where the IP header is; a device by its number, and its MTU */
	u32 off;
	u32 ifindex;
	u32 mtu;
	/* the packet's headers, in one piece, and what was received, from the IP header on */
	u32 headers_len;
	const u8 *headers;
	u32 len;
	/* what is held, NULL if nothing; the lengths of the payload, and from the IP header on */
	u32 held_headers_len;
	u8 *held_headers;
	struct sk_buff *held;
	u32 held_payload;
	u32 held_mss;
	u32 held_segments;
	u32 held_len;
	bool held_is_private;
	bool held_is_list;
	bool is_merged;
	/* what goes up the stack now: the callback's answer */
	struct sk_buff *flush;
};

int fastnat_shim_gro_attach(char *who, size_t len);
void fastnat_shim_gro_detach(void);
void fastnat_shim_gro_look(struct fastnat_gro *gro);
void fastnat_shim_gro_merge(struct fastnat_gro *gro);
void fastnat_shim_gro_flush(struct fastnat_gro *gro);
void fastnat_shim_gro_refuse(struct fastnat_gro *gro);
void fastnat_shim_gro_forget_list(struct fastnat_gro *gro);

/* icmp.c */
u32 fastnat_shim_icmp_interval(const struct net *net);
struct fastnat_icmp_late {
	u32 ifindex;
	u32 mark;
	u32 len;
	const u8 *packet;
};

bool fastnat_shim_icmp_late(struct net *net, const struct fastnat_icmp_late *late, int code);
bool fastnat_shim_icmp_refuse(struct sk_buff *skb, struct net_device *in, int code);

/* reset.c */
bool fastnat_shim_reset_enable(void);
void fastnat_shim_reset_disable(void);
void fastnat_shim_reset_send(const struct nf_hook_state *state, struct sk_buff *skb);

/* sock.c */
struct fastnat_sock_tuple {
	__be32 saddr;
	__be32 daddr;
	__be16 sport;
	__be16 dport;
	u8 proto;
};

struct net_device *fastnat_shim_dev_towards(struct net *net, const struct sk_buff *skb,
					    const struct net_device *in,
					    const struct fastnat_sock_tuple *tuple);
bool fastnat_shim_local_socket(struct net *net, const struct net_device *dev,
			       const struct fastnat_sock_tuple *tuple);
bool fastnat_shim_local_listener(struct net *net, const struct net_device *dev,
				 const struct fastnat_sock_tuple *tuple);
bool fastnat_shim_local_connection(struct net *net, const struct net_device *dev,
				   const struct fastnat_sock_tuple *tuple);

/* bridge.c */
bool fastnat_shim_skb_bridged_in(const struct sk_buff *skb);
bool fastnat_shim_skb_bridged_out(const struct sk_buff *skb);
void fastnat_shim_skb_keep_routed(struct sk_buff *skb);

/* conntrack.c */
enum fastnat_nat {
	FASTNAT_NAT_SRC = 1,	/* connection tracking translates the source of the first packet */
	FASTNAT_NAT_DST = 2,	/* its destination */
	FASTNAT_NAT_REPLY = 4,	/* this one goes the other way */
	FASTNAT_NAT_IPVS = 8,	/* IPVS has the packet in hand */
};

bool fastnat_shim_is_duplicate(void);
bool fastnat_shim_net_has_nat(const struct net *net);
u32 fastnat_shim_skb_nat(const struct sk_buff *skb);
bool fastnat_shim_ct_translates(const struct sk_buff *skb,
				const struct fastnat_sock_tuple *tuple);

/* pernet.c */
int fastnat_shim_pernet_register(void);
void fastnat_shim_pernet_unregister(void);
void **fastnat_shim_net_slot(const struct net *net);
void *fastnat_shim_net_state(const struct net *net);
int fastnat_shim_defrag_enable(struct net *net);
void fastnat_shim_defrag_disable(struct net *net);

/* neigh.c */
int fastnat_shim_neigh_notifier_register(void);
void fastnat_shim_neigh_notifier_unregister(void);

/* work.c */
void fastnat_shim_work_init(struct delayed_work *work,
			    void (*run)(struct work_struct *work));
void fastnat_shim_work_queue(struct delayed_work *work, unsigned long ticks);
void fastnat_shim_work_wake(struct delayed_work *work);

/* genl.c */
int fastnat_shim_genl_register(void);
void fastnat_shim_genl_unregister(void);
bool fastnat_shim_host_admin(void);
struct sk_buff *fastnat_shim_reply_new(const struct genl_info *info, size_t room, void **head);
int fastnat_shim_reply_send(struct sk_buff *skb, void *head, struct genl_info *info);
void fastnat_shim_reply_free(struct sk_buff *skb);
void *fastnat_shim_dump_begin(struct sk_buff *skb, struct netlink_callback *cb);
void fastnat_shim_dump_end(struct sk_buff *skb, void *head);
void fastnat_shim_dump_cancel(struct sk_buff *skb, void *head);
struct nlattr *fastnat_shim_nest_start(struct sk_buff *skb, int type);
void fastnat_shim_nest_end(struct sk_buff *skb, struct nlattr *nest);
void fastnat_shim_nest_cancel(struct sk_buff *skb, struct nlattr *nest);
bool fastnat_shim_event_wanted(struct net *net, unsigned int group);
struct sk_buff *fastnat_shim_event_new(u8 cmd, void **head);
void fastnat_shim_event_send(struct net *net, struct sk_buff *skb, void *head,
			     unsigned int group);
struct net *fastnat_shim_info_net(const struct genl_info *info);
struct net *fastnat_shim_dump_net(struct netlink_callback *cb);

/* The Rust side. */
void fastnat_rs_net_pre_exit(void *state);
void fastnat_rs_net_exit(void *state);
u32 fastnat_rs_sysctl(const void *state, u32 which);
void fastnat_rs_dev_event(void *state, const struct net_device *dev, bool gone);
void fastnat_rs_gro(const void *state, struct fastnat_gro *gro);
void fastnat_rs_uplink_lost(void *state);
void fastnat_rs_neigh_event(const void *state, u32 ifindex, __be32 addr, bool valid);

#endif /* _FASTNAT_SHIM_H */
