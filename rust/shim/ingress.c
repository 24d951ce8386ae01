// SPDX-License-Identifier: GPL-2.0
/* The early lookup: hooks of devices, and what is on its way between two packets. */

#include <linux/netdevice.h>
#include <linux/netfilter_netdev.h>
#include <linux/percpu.h>
#include <linux/prefetch.h>

#include <fastnat/shim.h>

/*
 * Packets between the fetch of a bucket and that of its first entry: so many
 * that the bucket has come, so few that the list they come in is longer.
 */
#define FASTNAT_DISTANCE 3

/* The hashes of packets whose entry has not been fetched, the oldest next. */
struct fastnat_early {
	u64 hashes[FASTNAT_DISTANCE];
	unsigned int next;
	unsigned int waiting;
};

static DEFINE_PER_CPU(struct fastnat_early, fastnat_early);

static u64 *fastnat_early_next(struct fastnat_early *early)
{
	unsigned int next = READ_ONCE(early->next);

	WRITE_ONCE(early->next, next + 1 < FASTNAT_DISTANCE ? next + 1 : 0);
	return &early->hashes[next];
}

/* Remembers the hash of a packet; returns the oldest one. In softirq. */
u64 fastnat_shim_early_swap(u64 hash)
{
	struct fastnat_early *early = this_cpu_ptr(&fastnat_early);

	early->waiting = FASTNAT_DISTANCE;
	swap(*fastnat_early_next(early), hash);
	return hash;
}

/*
 * The oldest hash, once for each; false if none is left. Packets that were
 * queued to userspace come by in process context: a softirq may come between
 * any two lines, after which a hash is returned once more, or not at all.
 */
bool fastnat_shim_early_rest(u64 *hash)
{
	struct fastnat_early *early = raw_cpu_ptr(&fastnat_early);
	unsigned int waiting = READ_ONCE(early->waiting);

	if (!waiting)
		return false;
	WRITE_ONCE(early->waiting, waiting - 1);
	*hash = *fastnat_early_next(early);
	return true;
}

void fastnat_shim_prefetch(const void *line)
{
	prefetch(line);
}

/* A device by its name, with a reference to it; NULL if there is none, or it goes. */
struct net_device *fastnat_shim_dev_get(struct net *net, const char *name)
{
	struct net_device *dev = dev_get_by_name(net, name);

	if (dev && READ_ONCE(dev->reg_state) != NETREG_REGISTERED) {
		dev_put(dev);
		return NULL;
	}
	return dev;
}

void fastnat_shim_dev_put(struct net_device *dev)
{
	dev_put(dev);
}

static int fastnat_dev_event(struct notifier_block *nb, unsigned long event, void *ptr)
{
	struct net_device *dev = netdev_notifier_info_to_dev(ptr);

	/* Devices that are there already are reported, too. */
	if (event == NETDEV_REGISTER && netif_is_l3_master(dev))
		WRITE_ONCE(fastnat_shim_vrf_seen, true);
	/* What has no address, as a port of a bridge, is nobody's uplink. Its addresses tell themselves. */
	if (event == NETDEV_DOWN && fastnat_shim_dev_has_any_addr(dev))
		fastnat_rs_uplink_lost(*fastnat_shim_net_slot(dev_net(dev)));
	if (event == NETDEV_REGISTER || event == NETDEV_CHANGENAME || event == NETDEV_UNREGISTER)
		fastnat_rs_dev_event(*fastnat_shim_net_slot(dev_net(dev)), dev,
				     event == NETDEV_UNREGISTER);
	return NOTIFY_DONE;
}

static struct notifier_block fastnat_dev_notifier = {
	.notifier_call = fastnat_dev_event,
};

int fastnat_shim_dev_notifier_register(void)
{
	return register_netdevice_notifier(&fastnat_dev_notifier);
}

void fastnat_shim_dev_notifier_unregister(void)
{
	unregister_netdevice_notifier(&fastnat_dev_notifier);
}
