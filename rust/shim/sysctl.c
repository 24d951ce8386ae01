// SPDX-License-Identifier: GPL-2.0
/* /proc/sys/net/fastnat: numbers to read, as the habit is. They are set over netlink. */

#include <linux/slab.h>
#include <linux/sysctl.h>
#include <net/net_namespace.h>

#include <fastnat/shim.h>

static const char * const fastnat_sysctl_names[] = {
	[FASTNAT_SYSCTL_FLOWS] = "flows",
	[FASTNAT_SYSCTL_BINDINGS] = "bindings",
	[FASTNAT_SYSCTL_MAX_FLOWS] = "max_flows",
	[FASTNAT_SYSCTL_MAX_BINDINGS] = "max_bindings",
	[FASTNAT_SYSCTL_BUCKETS] = "buckets",
};

/* A table of one namespace; the headers of sysctl point into it. */
struct fastnat_sysctl {
	struct ctl_table_header *header;
	struct ctl_table table[ARRAY_SIZE(fastnat_sysctl_names)];
};

static int fastnat_sysctl_read(const struct ctl_table *ctl, int write,
			       void *buffer, size_t *lenp, loff_t *ppos)
{
	unsigned int value = fastnat_rs_sysctl(ctl->extra1, (unsigned long)ctl->extra2);
	const struct ctl_table number = { .data = &value, .maxlen = sizeof(value) };

	return proc_douintvec(&number, write, buffer, lenp, ppos);
}

/* NULL when there is no memory. @state stays valid until it is unregistered. */
void *fastnat_shim_sysctl_register(struct net *net, const void *state)
{
	struct fastnat_sysctl *sysctl = kzalloc(sizeof(*sysctl), GFP_KERNEL_ACCOUNT);
	unsigned long i;

	if (!sysctl)
		return NULL;
	for (i = 0; i < ARRAY_SIZE(sysctl->table); i++) {
		sysctl->table[i].procname = fastnat_sysctl_names[i];
		sysctl->table[i].mode = 0444;
		sysctl->table[i].proc_handler = fastnat_sysctl_read;
		sysctl->table[i].extra1 = (void *)state;
		sysctl->table[i].extra2 = (void *)i;
	}
	sysctl->header = register_net_sysctl_sz(net, "net/fastnat", sysctl->table,
						ARRAY_SIZE(sysctl->table));
	if (sysctl->header)
		return sysctl;
	kfree(sysctl);
	return NULL;
}

/* Waits for those who read. */
void fastnat_shim_sysctl_unregister(void *registered)
{
	struct fastnat_sysctl *sysctl = registered;

	unregister_net_sysctl_table(sysctl->header);
	kfree(sysctl);
}
