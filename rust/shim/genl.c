// SPDX-License-Identifier: GPL-2.0
/* Generic netlink: the inline functions that build and send messages. */

#include <linux/capability.h>
#include <net/genetlink.h>

#include <fastnat/shim.h>

#include "netlink-gen.h"

/* Whoever asks for the family while the module is not loaded loads it. */
MODULE_ALIAS_GENL_FAMILY(FASTNAT_FAMILY_NAME);
MODULE_VERSION(FASTNAT_VERSION);

int fastnat_shim_genl_register(void)
{
	return genl_register_family(&fastnat_nl_family);
}

void fastnat_shim_genl_unregister(void)
{
	genl_unregister_family(&fastnat_nl_family);
}

/* May who asks administer the network of the host, not just that of a container? */
bool fastnat_shim_host_admin(void)
{
	return capable(CAP_NET_ADMIN);
}

/* With room for that many bytes of attributes, and for those of any short reply. */
struct sk_buff *fastnat_shim_reply_new(const struct genl_info *info, size_t room, void **head)
{
	struct sk_buff *skb = genlmsg_new(max(room, GENLMSG_DEFAULT_SIZE), GFP_KERNEL);

	if (!skb)
		return NULL;
	*head = genlmsg_iput(skb, info);
	if (!*head) {
		nlmsg_free(skb);
		return NULL;
	}
	return skb;
}

int fastnat_shim_reply_send(struct sk_buff *skb, void *head, struct genl_info *info)
{
	genlmsg_end(skb, head);
	return genlmsg_reply(skb, info);
}

void fastnat_shim_reply_free(struct sk_buff *skb)
{
	nlmsg_free(skb);
}

void *fastnat_shim_dump_begin(struct sk_buff *skb, struct netlink_callback *cb)
{
	void *head = __genlmsg_iput(skb, genl_info_dump(cb), NLM_F_MULTI);

	if (head)
		genl_dump_check_consistent(cb, head);
	return head;
}

void fastnat_shim_dump_end(struct sk_buff *skb, void *head)
{
	genlmsg_end(skb, head);
}

void fastnat_shim_dump_cancel(struct sk_buff *skb, void *head)
{
	genlmsg_cancel(skb, head);
}

struct nlattr *fastnat_shim_nest_start(struct sk_buff *skb, int type)
{
	return nla_nest_start(skb, type);
}

void fastnat_shim_nest_end(struct sk_buff *skb, struct nlattr *nest)
{
	nla_nest_end(skb, nest);
}

void fastnat_shim_nest_cancel(struct sk_buff *skb, struct nlattr *nest)
{
	nla_nest_cancel(skb, nest);
}

/* Under RCU. */
bool fastnat_shim_event_wanted(struct net *net, unsigned int group)
{
	return genl_has_listeners(&fastnat_nl_family, net, group);
}

/* Room for any event; the largest has about 150 bytes of attributes. */
struct sk_buff *fastnat_shim_event_new(u8 cmd, void **head)
{
	struct sk_buff *skb = genlmsg_new(256, GFP_ATOMIC);

	if (!skb)
		return NULL;
	*head = genlmsg_put(skb, 0, 0, &fastnat_nl_family, 0, cmd);
	if (!*head) {
		nlmsg_free(skb);
		return NULL;
	}
	return skb;
}

void fastnat_shim_event_send(struct net *net, struct sk_buff *skb, void *head,
			     unsigned int group)
{
	genlmsg_end(skb, head);
	genlmsg_multicast_netns(&fastnat_nl_family, net, skb, 0, group, GFP_ATOMIC);
}

struct net *fastnat_shim_info_net(const struct genl_info *info)
{
	return genl_info_net(info);
}

struct net *fastnat_shim_dump_net(struct netlink_callback *cb)
{
	return genl_info_net(genl_info_dump(cb));
}
