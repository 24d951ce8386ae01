// SPDX-License-Identifier: GPL-2.0
/* The two devices, and what the module begins and ends with. */

#include <linux/etherdevice.h>
#include <linux/ethtool.h>
#include <linux/module.h>
#include <linux/nsproxy.h>
#include <linux/rtnetlink.h>
#include <net/net_namespace.h>

#include "bench.h"

static bool noqueue = true;
module_param(noqueue, bool, 0444);
MODULE_PARM_DESC(noqueue, "no qdisc on the devices, as on dummy and veth");

DEFINE_MUTEX(bench_mutex);
struct bench_dev *bench_devs[2];

void bench_sum(const struct bench_dev *b, struct bench_counters *sum)
{
	int cpu;

	memset(sum, 0, sizeof(*sum));
	for_each_possible_cpu(cpu) {
		const struct bench_counters *c = per_cpu_ptr(b->counters, cpu);

		sum->packets += READ_ONCE(c->packets);
		sum->frames += READ_ONCE(c->frames);
		sum->bytes += READ_ONCE(c->bytes);
		sum->other += READ_ONCE(c->other);
	}
}

static void bench_stats(struct net_device *dev, struct rtnl_link_stats64 *stats)
{
	const struct bench_dev *b = netdev_priv(dev);
	struct bench_counters sum;

	bench_sum(b, &sum);
	stats->tx_packets = sum.packets + sum.other;
	stats->tx_bytes = sum.bytes;
	stats->rx_packets = READ_ONCE(b->sent);
	stats->rx_bytes = READ_ONCE(b->sent_bytes);
}

static int bench_open(struct net_device *dev)
{
	struct bench_dev *b = netdev_priv(dev);

	napi_enable(&b->napi);
	netif_start_queue(dev);
	return 0;
}

static int bench_stop(struct net_device *dev)
{
	struct bench_dev *b = netdev_priv(dev);

	netif_stop_queue(dev);
	napi_disable(&b->napi);
	return 0;
}

static int bench_init_dev(struct net_device *dev)
{
	struct bench_dev *b = netdev_priv(dev);

	b->counters = alloc_percpu(struct bench_counters);
	return b->counters ? 0 : -ENOMEM;
}

static void bench_free_dev(struct net_device *dev)
{
	struct bench_dev *b = netdev_priv(dev);

	bench_array_clear(&b->flows);
	bench_array_clear(&b->captured);
	bench_kept_clear(&b->kept);
	free_percpu(b->counters);
}

static const struct net_device_ops bench_ops = {
	.ndo_init		= bench_init_dev,
	.ndo_open		= bench_open,
	.ndo_stop		= bench_stop,
	.ndo_start_xmit		= bench_xmit,
	.ndo_get_stats64	= bench_stats,
	.ndo_set_mac_address	= eth_mac_addr,
	.ndo_validate_addr	= eth_validate_addr,
};

static const struct ethtool_ops bench_ethtool_ops = {
	.get_link = ethtool_op_get_link,
};

static void bench_setup(struct net_device *dev)
{
	ether_setup(dev);
	dev->netdev_ops = &bench_ops;
	dev->ethtool_ops = &bench_ethtool_ops;
	dev->needs_free_netdev = true;
	dev->priv_destructor = bench_free_dev;
	dev->priv_flags |= IFF_DISABLE_NETPOLL;
	if (noqueue)
		dev->priv_flags |= IFF_NO_QUEUE;
	dev->lltx = true;
	dev->features = NETIF_F_SG | NETIF_F_FRAGLIST | NETIF_F_HIGHDMA | NETIF_F_HW_CSUM |
			NETIF_F_GSO_SOFTWARE | NETIF_F_RXCSUM | NETIF_F_RXHASH;
	dev->hw_features = dev->features;
	dev->vlan_features = dev->features;
	dev->max_mtu = 9000;
}

/* 02:00:00:00:N:1 is the device; 02:00:00:00:N:2, whence its packets come, the host behind it. */
static struct bench_dev *bench_dev_create(struct net *net, int number)
{
	u8 address[ETH_ALEN] = { 2, 0, 0, 0, number, 1 };
	struct net_device *dev;
	struct bench_dev *b;
	char name[IFNAMSIZ];
	int error;

	snprintf(name, sizeof(name), "bench%d", number);
	dev = alloc_netdev(sizeof(struct bench_dev), name, NET_NAME_ENUM, bench_setup);
	if (!dev)
		return ERR_PTR(-ENOMEM);
	b = netdev_priv(dev);
	b->dev = dev;
	dev_net_set(dev, net);
	eth_hw_addr_set(dev, address);
	netif_napi_add(dev, &b->napi, bench_poll);
	error = register_netdev(dev);
	if (error) {
		/* Depending on where it failed, priv_destructor has run or has nothing to do. */
		free_netdev(dev);
		return ERR_PTR(error);
	}
	return b;
}

static int __init bench_init(void)
{
	struct net *net = current->nsproxy->net_ns;
	struct bench_dev *b;
	int i, error;

	for (i = 0; i < 2; i++) {
		b = bench_dev_create(net, i);
		if (IS_ERR(b)) {
			error = PTR_ERR(b);
			goto remove;
		}
		bench_devs[i] = b;
	}
	bench_devs[0]->opposite = bench_devs[1];
	bench_devs[1]->opposite = bench_devs[0];
	error = bench_files_create();
	if (!error)
		return 0;
remove:
	while (i--)
		unregister_netdev(bench_devs[i]->dev);
	return error;
}

/* Nobody can begin a run once the files are gone, so the devices idle when they go. */
static void __exit bench_exit(void)
{
	bench_files_remove();
	unregister_netdev(bench_devs[1]->dev);
	unregister_netdev(bench_devs[0]->dev);
	bench_run_exit();
	bench_source_exit();
	bench_trace_exit();
}

module_init(bench_init);
module_exit(bench_exit);
MODULE_DESCRIPTION("Packet source and sink to measure forwarding and NAT with");
MODULE_LICENSE("GPL");
