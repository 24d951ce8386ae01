// SPDX-License-Identifier: GPL-2.0
/* Neighbours that come and go. */

#include <net/arp.h>
#include <net/neighbour.h>
#include <net/netevent.h>

#include <fastnat/shim.h>

/* Under RCU, often in softirq. Its device keeps the namespace of the neighbour alive. */
static int fastnat_neigh_event(struct notifier_block *nb, unsigned long event, void *ptr)
{
	const struct neighbour *neigh = ptr;
	const void *state;

	if (event != NETEVENT_NEIGH_UPDATE || neigh->tbl != &arp_tbl)
		return NOTIFY_DONE;
	state = fastnat_shim_net_state(dev_net(neigh->dev));
	if (state)
		fastnat_rs_neigh_event(state, neigh->dev->ifindex, *(__be32 *)neigh->primary_key,
				       READ_ONCE(neigh->nud_state) & NUD_VALID);
	return NOTIFY_DONE;
}

static struct notifier_block fastnat_neigh_notifier = {
	.notifier_call = fastnat_neigh_event,
};

int fastnat_shim_neigh_notifier_register(void)
{
	return register_netevent_notifier(&fastnat_neigh_notifier);
}

void fastnat_shim_neigh_notifier_unregister(void)
{
	unregister_netevent_notifier(&fastnat_neigh_notifier);
}
