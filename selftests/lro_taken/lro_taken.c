// SPDX-License-Identifier: GPL-2.0
/*
 * While it is loaded, GRO calls this module for IPv4 and IPv6, which counts and
 * calls who was there before: the kernel, or fastnat.
 */

#include <linux/module.h>
#include <linux/netdevice.h>
#include <net/gro.h>
#include <net/hotdata.h>

typedef struct sk_buff *(*lro_taken_receive_t)(struct list_head *head, struct sk_buff *skb);

static lro_taken_receive_t lro_taken_before4, lro_taken_before6;
static atomic_t lro_taken_seen;

static int lro_taken_show(char *buffer, const struct kernel_param *kp)
{
	return sysfs_emit(buffer, "%d\n", atomic_read(&lro_taken_seen));
}

static const struct kernel_param_ops lro_taken_seen_ops = { .get = lro_taken_show };
module_param_cb(seen, &lro_taken_seen_ops, NULL, 0444);
MODULE_PARM_DESC(seen, "packets that came by");

static struct sk_buff *lro_taken_receive4(struct list_head *head, struct sk_buff *skb)
{
	atomic_inc(&lro_taken_seen);
	return lro_taken_before4(head, skb);
}

static struct sk_buff *lro_taken_receive6(struct list_head *head, struct sk_buff *skb)
{
	atomic_inc(&lro_taken_seen);
	return lro_taken_before6(head, skb);
}

static int __init lro_taken_init(void)
{
	lro_taken_before4 = READ_ONCE(net_hotdata.ip_packet_offload.callbacks.gro_receive);
	lro_taken_before6 = READ_ONCE(net_hotdata.ipv6_packet_offload.callbacks.gro_receive);
	/* Pairs with the dependency of the calls in the callbacks: they find what was stored. */
	smp_wmb();
	WRITE_ONCE(net_hotdata.ip_packet_offload.callbacks.gro_receive, lro_taken_receive4);
	WRITE_ONCE(net_hotdata.ipv6_packet_offload.callbacks.gro_receive, lro_taken_receive6);
	return 0;
}

static void __exit lro_taken_exit(void)
{
	WRITE_ONCE(net_hotdata.ip_packet_offload.callbacks.gro_receive, lro_taken_before4);
	WRITE_ONCE(net_hotdata.ipv6_packet_offload.callbacks.gro_receive, lro_taken_before6);
	synchronize_net();
}

module_init(lro_taken_init);
module_exit(lro_taken_exit);
MODULE_DESCRIPTION("For tests: a callback of somebody else in GRO");
MODULE_LICENSE("GPL");
