// SPDX-License-Identifier: GPL-2.0
/* Network namespaces: one pointer to the Rust state in each. */

#include <linux/kmod.h>
#include <linux/module.h>
#include <net/net_namespace.h>
#include <net/netfilter/ipv4/nf_defrag_ipv4.h>
#include <net/netns/generic.h>

#include <fastnat/shim.h>

static unsigned int fastnat_net_id;

static void fastnat_net_pre_exit(struct net *net)
{
	fastnat_rs_net_pre_exit(*fastnat_shim_net_slot(net));
}

static void fastnat_net_exit(struct net *net)
{
	void **slot = fastnat_shim_net_slot(net);

	fastnat_rs_net_exit(*slot);
	*slot = NULL;
}

static struct pernet_operations fastnat_net_ops = {
	.pre_exit = fastnat_net_pre_exit,
	.exit = fastnat_net_exit,
	.id = &fastnat_net_id,
	.size = sizeof(void *),
};

int fastnat_shim_pernet_register(void)
{
	return register_pernet_subsys(&fastnat_net_ops);
}

void fastnat_shim_pernet_unregister(void)
{
	unregister_pernet_subsys(&fastnat_net_ops);
}

void **fastnat_shim_net_slot(const struct net *net)
{
	return net_generic(net, fastnat_net_id);
}

/* What the slot holds. Under RCU, which net_generic() would take once more. */
void *fastnat_shim_net_state(const struct net *net)
{
	return READ_ONCE(*(void **)rcu_dereference(net->gen)->ptr[fastnat_net_id]);
}

/*
 * The symbol is looked up when first needed, so that insmod works without
 * nf_defrag_ipv4 loaded before.
 */
int fastnat_shim_defrag_enable(struct net *net)
{
	int (*enable)(struct net *net);
	int err;

	request_module("nf_defrag_ipv4");
	enable = symbol_get(nf_defrag_ipv4_enable);
	if (!enable)
		return -EPROTONOSUPPORT;
	err = enable(net);
	if (err)
		symbol_put(nf_defrag_ipv4_enable);
	return err;
}

void fastnat_shim_defrag_disable(struct net *net)
{
	void (*disable)(struct net *net) = symbol_get(nf_defrag_ipv4_disable);

	if (!disable)
		return;
	disable(net);
	symbol_put(nf_defrag_ipv4_disable);
	symbol_put(nf_defrag_ipv4_enable);
}
