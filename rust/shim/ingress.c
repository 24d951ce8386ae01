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
#define FASTNAT_DISTANCE 2

static DEFINE_PER_CPU(u64[FASTNAT_DISTANCE], fastnat_hashes);
static DEFINE_PER_CPU(unsigned int, fastnat_turn);

/* Remembers the hash of a packet; returns that of one before it. In softirq. */
u64 fastnat_shim_early_swap(u64 hash)
{
	unsigned int turn = __this_cpu_inc_return(fastnat_turn) % FASTNAT_DISTANCE;
	u64 *place = this_cpu_ptr(&fastnat_hashes[turn]);

	swap(*place, hash);
	return hash;
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
