// SPDX-License-Identifier: GPL-2.0
/* Hooks at PREROUTING for the time of a run: one drops all, the other marks when a packet comes by. */

#include <linux/netfilter.h>
#include <linux/netfilter_ipv4.h>
#include <linux/percpu.h>
#include <linux/slab.h>

#include "bench.h"

DEFINE_STATIC_KEY_FALSE(bench_marks_key);

/* Of the packet on its way on this processor; 0: not come by. */
struct bench_stamp {
	u64 source;
	u64 hook;
};

static DEFINE_PER_CPU(struct bench_stamp, bench_stamps);

static unsigned int bench_null_hook(void *priv, struct sk_buff *skb,
				    const struct nf_hook_state *state)
{
	return NF_DROP;
}

static unsigned int bench_mark_hook(void *priv, struct sk_buff *skb,
				    const struct nf_hook_state *state)
{
	this_cpu_write(bench_stamps.hook, bench_ticks());
	return NF_ACCEPT;
}

static const struct nf_hook_ops bench_null_ops = {
	.hook		= bench_null_hook,
	.pf		= NFPROTO_IPV4,
	.hooknum	= NF_INET_PRE_ROUTING,
	.priority	= BENCH_PRIORITY,
};

static const struct nf_hook_ops bench_mark_ops = {
	.hook		= bench_mark_hook,
	.pf		= NFPROTO_IPV4,
	.hooknum	= NF_INET_PRE_ROUTING,
	.priority	= BENCH_PRIORITY,
};

int bench_hooks_add(struct net *net, const struct bench_command *c)
{
	if (c->null)
		return nf_register_net_hook(net, &bench_null_ops);
	if (c->marks)
		return nf_register_net_hook(net, &bench_mark_ops);
	return 0;
}

void bench_hooks_remove(struct net *net, const struct bench_command *c)
{
	if (c->null)
		nf_unregister_net_hook(net, &bench_null_ops);
	if (c->marks)
		nf_unregister_net_hook(net, &bench_mark_ops);
}

/* A packet that got lost leaves its marks; the next one's replace them. */
void bench_mark_source(void)
{
	this_cpu_write(bench_stamps.hook, 0);
	this_cpu_write(bench_stamps.source, bench_ticks());
}

/* Only one processor runs the packets that were marked. */
static void bench_sample(struct bench_samples *s, u64 ticks)
{
	if (s->count < BENCH_MAX_SAMPLES)
		s->values[s->count] = min_t(u64, ticks, U32_MAX);
	s->count++;
	s->sum += ticks;
}

void bench_mark_sink(const struct sk_buff *skb)
{
	u64 now = bench_ticks();
	struct bench_stamp *s;

	bench_trace_stop();
	s = this_cpu_ptr(&bench_stamps);
	if (skb->protocol != htons(ETH_P_IP) || !s->source)
		return;
	bench_sample(&bench_result.source, now - s->source);
	s->source = 0;
	if (!s->hook)
		return;
	bench_sample(&bench_result.hook, now - s->hook);
	s->hook = 0;
}

int bench_marks_begin(struct bench_result *r)
{
	int cpu;

	r->source.values = kvmalloc_array(BENCH_MAX_SAMPLES, sizeof(u32), GFP_KERNEL);
	r->hook.values = kvmalloc_array(BENCH_MAX_SAMPLES, sizeof(u32), GFP_KERNEL);
	if (!r->source.values || !r->hook.values)
		return -ENOMEM;
	for_each_possible_cpu(cpu)
		memset(per_cpu_ptr(&bench_stamps, cpu), 0, sizeof(struct bench_stamp));
	static_branch_enable(&bench_marks_key);
	return 0;
}

static u64 bench_mark_cost(void)
{
	u64 first, best = U64_MAX;
	int i;

	for (i = 0; i < 100; i++) {
		first = bench_ticks();
		best = min(best, bench_ticks() - first);
	}
	return best;
}

void bench_marks_end(struct bench_result *r)
{
	static_branch_disable(&bench_marks_key);
	/* Who transmits something else just now may still look for marks. */
	synchronize_net();
	bench_sort(r->source.values, min_t(u64, r->source.count, BENCH_MAX_SAMPLES));
	bench_sort(r->hook.values, min_t(u64, r->hook.count, BENCH_MAX_SAMPLES));
	r->mark_ticks = bench_mark_cost();
}
