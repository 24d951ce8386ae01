/* SPDX-License-Identifier: ((GPL-2.0 WITH Linux-syscall-note) OR BSD-3-Clause) */
/* Do not edit directly, auto-generated from: */
/*	Documentation/netlink/specs/fastnat.yaml */
/* YNL-GEN kernel header */
/* To regenerate run: tools/gen/run */

#ifndef _LINUX_FASTNAT_GEN_H
#define _LINUX_FASTNAT_GEN_H

#include <net/netlink.h>
#include <net/genetlink.h>

#include <uapi/linux/fastnat.h>

/* Common nested types */
extern const struct nla_policy fastnat_devices_nl_policy[FASTNAT_A_DEVICES_NAME + 1];
extern const struct nla_policy fastnat_new_policy_nl_policy[FASTNAT_A_POLICY_SET_MARK_MASK + 1];
extern const struct nla_policy fastnat_range_nl_policy[FASTNAT_A_RANGE_ADDR_MAX + 1];
extern const struct nla_policy fastnat_target_nl_policy[FASTNAT_A_TARGET_WEIGHT + 1];
extern const struct nla_policy fastnat_tuple_nl_policy[FASTNAT_A_TUPLE_DST_PORT + 1];

int fastnat_nl_policy_add_doit(struct sk_buff *skb, struct genl_info *info);
int fastnat_nl_policy_del_doit(struct sk_buff *skb, struct genl_info *info);
int fastnat_nl_policy_get_dumpit(struct sk_buff *skb,
				 struct netlink_callback *cb);
int fastnat_nl_pool_add_doit(struct sk_buff *skb, struct genl_info *info);
int fastnat_nl_pool_del_doit(struct sk_buff *skb, struct genl_info *info);
int fastnat_nl_pool_get_dumpit(struct sk_buff *skb,
			       struct netlink_callback *cb);
int fastnat_nl_flow_get_doit(struct sk_buff *skb, struct genl_info *info);
int fastnat_nl_flow_get_dumpit(struct sk_buff *skb,
			       struct netlink_callback *cb);
int fastnat_nl_flow_flush_doit(struct sk_buff *skb, struct genl_info *info);
int fastnat_nl_binding_get_dumpit(struct sk_buff *skb,
				  struct netlink_callback *cb);
int fastnat_nl_stats_get_doit(struct sk_buff *skb, struct genl_info *info);
int fastnat_nl_config_get_doit(struct sk_buff *skb, struct genl_info *info);
int fastnat_nl_config_set_doit(struct sk_buff *skb, struct genl_info *info);
int fastnat_nl_binding_add_doit(struct sk_buff *skb, struct genl_info *info);
int fastnat_nl_binding_del_doit(struct sk_buff *skb, struct genl_info *info);
int fastnat_nl_size_get_doit(struct sk_buff *skb, struct genl_info *info);
int fastnat_nl_table_get_dumpit(struct sk_buff *skb,
				struct netlink_callback *cb);
int fastnat_nl_policies_add_doit(struct sk_buff *skb, struct genl_info *info);
int fastnat_nl_lro_set_doit(struct sk_buff *skb, struct genl_info *info);
int fastnat_nl_lro_del_doit(struct sk_buff *skb, struct genl_info *info);
int fastnat_nl_lro_get_dumpit(struct sk_buff *skb, struct netlink_callback *cb);
int fastnat_nl_block_get_dumpit(struct sk_buff *skb,
				struct netlink_callback *cb);

enum {
	FASTNAT_NLGRP_LIMIT,
	FASTNAT_NLGRP_BINDING,
	FASTNAT_NLGRP_FLOW,
	FASTNAT_NLGRP_BLOCK,
};

extern struct genl_family fastnat_nl_family;

#endif /* _LINUX_FASTNAT_GEN_H */
