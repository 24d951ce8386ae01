// SPDX-License-Identifier: ((GPL-2.0 WITH Linux-syscall-note) OR BSD-3-Clause)
/* Do not edit directly, auto-generated from: */
/*	Documentation/netlink/specs/fastnat.yaml */
/* YNL-GEN kernel source */
/* To regenerate run: tools/gen/run */

#include <net/netlink.h>
#include <net/genetlink.h>

#include "netlink-gen.h"

#include <uapi/linux/fastnat.h>

/* Integer value ranges */
static const struct netlink_range_validation fastnat_a_policy_timeout_tcp_range = {
	.min	= 1ULL,
	.max	= 2592000ULL,
};

static const struct netlink_range_validation fastnat_a_policy_timeout_udp_range = {
	.min	= 1ULL,
	.max	= 2592000ULL,
};

static const struct netlink_range_validation fastnat_a_policy_timeout_icmp_range = {
	.min	= 1ULL,
	.max	= 2592000ULL,
};

static const struct netlink_range_validation fastnat_a_binding_lifetime_range = {
	.min	= 1ULL,
	.max	= 2592000ULL,
};

static const struct netlink_range_validation fastnat_a_config_timeout_tcp_range = {
	.min	= 1ULL,
	.max	= 2592000ULL,
};

static const struct netlink_range_validation fastnat_a_config_timeout_udp_range = {
	.min	= 1ULL,
	.max	= 2592000ULL,
};

static const struct netlink_range_validation fastnat_a_config_timeout_icmp_range = {
	.min	= 1ULL,
	.max	= 2592000ULL,
};

static const struct netlink_range_validation fastnat_a_config_buckets_range = {
	.max	= 67108864ULL,
};

static const struct netlink_range_validation fastnat_a_config_timeout_tcp_transitory_range = {
	.min	= 1ULL,
	.max	= 2592000ULL,
};

static const struct netlink_range_validation fastnat_a_config_port_rest_range = {
	.max	= 86400ULL,
};

static const struct netlink_range_validation fastnat_a_size_buckets_range = {
	.max	= 67108864ULL,
};

/* Common nested types */
const struct nla_policy fastnat_devices_nl_policy[FASTNAT_A_DEVICES_NAME + 1] = {
	[FASTNAT_A_DEVICES_NAME] = { .type = NLA_STRING, .len = 15, },
};

const struct nla_policy fastnat_new_policy_nl_policy[FASTNAT_A_POLICY_SET_MARK_MASK + 1] = {
	[FASTNAT_A_POLICY_ID] = NLA_POLICY_MIN(NLA_U32, 1),
	[FASTNAT_A_POLICY_PRIORITY] = { .type = NLA_U32, },
	[FASTNAT_A_POLICY_ACTION] = NLA_POLICY_MAX(NLA_U32, 5),
	[FASTNAT_A_POLICY_PROTO] = NLA_POLICY_MIN(NLA_U8, 1),
	[FASTNAT_A_POLICY_SRC_ADDR] = NLA_POLICY_EXACT_LEN(4),
	[FASTNAT_A_POLICY_SRC_PREFIX] = { .type = NLA_U8, },
	[FASTNAT_A_POLICY_DST_ADDR] = NLA_POLICY_EXACT_LEN(4),
	[FASTNAT_A_POLICY_DST_PREFIX] = { .type = NLA_U8, },
	[FASTNAT_A_POLICY_SRC_PORT_MIN] = { .type = NLA_U16, },
	[FASTNAT_A_POLICY_SRC_PORT_MAX] = { .type = NLA_U16, },
	[FASTNAT_A_POLICY_DST_PORT_MIN] = { .type = NLA_U16, },
	[FASTNAT_A_POLICY_DST_PORT_MAX] = { .type = NLA_U16, },
	[FASTNAT_A_POLICY_IN_IFACE] = { .type = NLA_NUL_STRING, .len = 15, },
	[FASTNAT_A_POLICY_OUT_IFACE] = { .type = NLA_NUL_STRING, .len = 15, },
	[FASTNAT_A_POLICY_MARK] = { .type = NLA_U32, },
	[FASTNAT_A_POLICY_MARK_MASK] = { .type = NLA_U32, },
	[FASTNAT_A_POLICY_POOL] = { .type = NLA_NUL_STRING, .len = 31, },
	[FASTNAT_A_POLICY_TO_ADDR] = NLA_POLICY_EXACT_LEN(4),
	[FASTNAT_A_POLICY_TO_PORT_MIN] = { .type = NLA_U16, },
	[FASTNAT_A_POLICY_TO_PORT_MAX] = { .type = NLA_U16, },
	[FASTNAT_A_POLICY_EXPIRY] = NLA_POLICY_MAX(NLA_U32, 1),
	[FASTNAT_A_POLICY_TIMEOUT_TCP] = NLA_POLICY_FULL_RANGE(NLA_U32, &fastnat_a_policy_timeout_tcp_range),
	[FASTNAT_A_POLICY_TIMEOUT_UDP] = NLA_POLICY_FULL_RANGE(NLA_U32, &fastnat_a_policy_timeout_udp_range),
	[FASTNAT_A_POLICY_TIMEOUT_ICMP] = NLA_POLICY_FULL_RANGE(NLA_U32, &fastnat_a_policy_timeout_icmp_range),
	[FASTNAT_A_POLICY_TCP_FIN] = { .type = NLA_FLAG, },
	[FASTNAT_A_POLICY_OFFLOAD] = NLA_POLICY_MAX(NLA_U32, 2),
	[FASTNAT_A_POLICY_OFFLOAD_AFTER] = { .type = NLA_U8, },
	[FASTNAT_A_POLICY_FILTERING] = NLA_POLICY_MAX(NLA_U32, 2),
	[FASTNAT_A_POLICY_SUBSCRIBER_BINDINGS] = { .type = NLA_U32, },
	[FASTNAT_A_POLICY_SUBSCRIBER_FLOWS] = { .type = NLA_U32, },
	[FASTNAT_A_POLICY_SUBSCRIBER_RATE] = { .type = NLA_U32, },
	[FASTNAT_A_POLICY_MAPPING] = NLA_POLICY_MAX(NLA_U32, 1),
	[FASTNAT_A_POLICY_TARGET] = NLA_POLICY_NESTED(fastnat_target_nl_policy),
	[FASTNAT_A_POLICY_BALANCE] = NLA_POLICY_MAX(NLA_U32, 1),
	[FASTNAT_A_POLICY_TO_PREFIX] = NLA_POLICY_RANGE(NLA_U8, 1, 32),
	[FASTNAT_A_POLICY_IN_GROUP] = { .type = NLA_U32, },
	[FASTNAT_A_POLICY_OUT_GROUP] = { .type = NLA_U32, },
	[FASTNAT_A_POLICY_SET_MARK] = { .type = NLA_U32, },
	[FASTNAT_A_POLICY_SET_MARK_MASK] = NLA_POLICY_MIN(NLA_U32, 1),
};

const struct nla_policy fastnat_range_nl_policy[FASTNAT_A_RANGE_ADDR_MAX + 1] = {
	[FASTNAT_A_RANGE_ADDR_MIN] = NLA_POLICY_EXACT_LEN(4),
	[FASTNAT_A_RANGE_ADDR_MAX] = NLA_POLICY_EXACT_LEN(4),
};

const struct nla_policy fastnat_target_nl_policy[FASTNAT_A_TARGET_WEIGHT + 1] = {
	[FASTNAT_A_TARGET_ADDR] = NLA_POLICY_EXACT_LEN(4),
	[FASTNAT_A_TARGET_PORT_MIN] = { .type = NLA_U16, },
	[FASTNAT_A_TARGET_PORT_MAX] = { .type = NLA_U16, },
	[FASTNAT_A_TARGET_WEIGHT] = NLA_POLICY_MIN(NLA_U16, 1),
};

const struct nla_policy fastnat_tuple_nl_policy[FASTNAT_A_TUPLE_DST_PORT + 1] = {
	[FASTNAT_A_TUPLE_SRC_ADDR] = NLA_POLICY_EXACT_LEN(4),
	[FASTNAT_A_TUPLE_SRC_PORT] = { .type = NLA_U16, },
	[FASTNAT_A_TUPLE_DST_ADDR] = NLA_POLICY_EXACT_LEN(4),
	[FASTNAT_A_TUPLE_DST_PORT] = { .type = NLA_U16, },
};

/* FASTNAT_CMD_POLICY_ADD - do */
static const struct nla_policy fastnat_policy_add_nl_policy[FASTNAT_A_POLICY_FLUSH_MATCHING + 1] = {
	[FASTNAT_A_POLICY_ID] = NLA_POLICY_MIN(NLA_U32, 1),
	[FASTNAT_A_POLICY_PRIORITY] = { .type = NLA_U32, },
	[FASTNAT_A_POLICY_ACTION] = NLA_POLICY_MAX(NLA_U32, 5),
	[FASTNAT_A_POLICY_PROTO] = NLA_POLICY_MIN(NLA_U8, 1),
	[FASTNAT_A_POLICY_SRC_ADDR] = NLA_POLICY_EXACT_LEN(4),
	[FASTNAT_A_POLICY_SRC_PREFIX] = { .type = NLA_U8, },
	[FASTNAT_A_POLICY_DST_ADDR] = NLA_POLICY_EXACT_LEN(4),
	[FASTNAT_A_POLICY_DST_PREFIX] = { .type = NLA_U8, },
	[FASTNAT_A_POLICY_SRC_PORT_MIN] = { .type = NLA_U16, },
	[FASTNAT_A_POLICY_SRC_PORT_MAX] = { .type = NLA_U16, },
	[FASTNAT_A_POLICY_DST_PORT_MIN] = { .type = NLA_U16, },
	[FASTNAT_A_POLICY_DST_PORT_MAX] = { .type = NLA_U16, },
	[FASTNAT_A_POLICY_IN_IFACE] = { .type = NLA_NUL_STRING, .len = 15, },
	[FASTNAT_A_POLICY_OUT_IFACE] = { .type = NLA_NUL_STRING, .len = 15, },
	[FASTNAT_A_POLICY_MARK] = { .type = NLA_U32, },
	[FASTNAT_A_POLICY_MARK_MASK] = { .type = NLA_U32, },
	[FASTNAT_A_POLICY_POOL] = { .type = NLA_NUL_STRING, .len = 31, },
	[FASTNAT_A_POLICY_TO_ADDR] = NLA_POLICY_EXACT_LEN(4),
	[FASTNAT_A_POLICY_TO_PORT_MIN] = { .type = NLA_U16, },
	[FASTNAT_A_POLICY_TO_PORT_MAX] = { .type = NLA_U16, },
	[FASTNAT_A_POLICY_EXPIRY] = NLA_POLICY_MAX(NLA_U32, 1),
	[FASTNAT_A_POLICY_TIMEOUT_TCP] = NLA_POLICY_FULL_RANGE(NLA_U32, &fastnat_a_policy_timeout_tcp_range),
	[FASTNAT_A_POLICY_TIMEOUT_UDP] = NLA_POLICY_FULL_RANGE(NLA_U32, &fastnat_a_policy_timeout_udp_range),
	[FASTNAT_A_POLICY_TIMEOUT_ICMP] = NLA_POLICY_FULL_RANGE(NLA_U32, &fastnat_a_policy_timeout_icmp_range),
	[FASTNAT_A_POLICY_TCP_FIN] = { .type = NLA_FLAG, },
	[FASTNAT_A_POLICY_OFFLOAD] = NLA_POLICY_MAX(NLA_U32, 2),
	[FASTNAT_A_POLICY_OFFLOAD_AFTER] = { .type = NLA_U8, },
	[FASTNAT_A_POLICY_FILTERING] = NLA_POLICY_MAX(NLA_U32, 2),
	[FASTNAT_A_POLICY_SUBSCRIBER_BINDINGS] = { .type = NLA_U32, },
	[FASTNAT_A_POLICY_SUBSCRIBER_FLOWS] = { .type = NLA_U32, },
	[FASTNAT_A_POLICY_SUBSCRIBER_RATE] = { .type = NLA_U32, },
	[FASTNAT_A_POLICY_MAPPING] = NLA_POLICY_MAX(NLA_U32, 1),
	[FASTNAT_A_POLICY_TARGET] = NLA_POLICY_NESTED(fastnat_target_nl_policy),
	[FASTNAT_A_POLICY_BALANCE] = NLA_POLICY_MAX(NLA_U32, 1),
	[FASTNAT_A_POLICY_TO_PREFIX] = NLA_POLICY_RANGE(NLA_U8, 1, 32),
	[FASTNAT_A_POLICY_IN_GROUP] = { .type = NLA_U32, },
	[FASTNAT_A_POLICY_OUT_GROUP] = { .type = NLA_U32, },
	[FASTNAT_A_POLICY_SET_MARK] = { .type = NLA_U32, },
	[FASTNAT_A_POLICY_SET_MARK_MASK] = NLA_POLICY_MIN(NLA_U32, 1),
	[FASTNAT_A_POLICY_FLUSH_MATCHING] = { .type = NLA_FLAG, },
};

/* FASTNAT_CMD_POLICY_DEL - do */
static const struct nla_policy fastnat_policy_del_nl_policy[FASTNAT_A_POLICY_ID + 1] = {
	[FASTNAT_A_POLICY_ID] = NLA_POLICY_MIN(NLA_U32, 1),
};

/* FASTNAT_CMD_POOL_ADD - do */
static const struct nla_policy fastnat_pool_add_nl_policy[FASTNAT_A_POOL_INSIDE + 1] = {
	[FASTNAT_A_POOL_NAME] = { .type = NLA_NUL_STRING, .len = 31, },
	[FASTNAT_A_POOL_RANGE] = NLA_POLICY_NESTED(fastnat_range_nl_policy),
	[FASTNAT_A_POOL_PORT_MIN] = NLA_POLICY_MIN(NLA_U16, 1),
	[FASTNAT_A_POOL_PORT_MAX] = NLA_POLICY_MIN(NLA_U16, 1),
	[FASTNAT_A_POOL_ALLOCATION] = NLA_POLICY_MAX(NLA_U32, 3),
	[FASTNAT_A_POOL_PARITY] = { .type = NLA_FLAG, },
	[FASTNAT_A_POOL_BLOCK_SIZE] = NLA_POLICY_MIN(NLA_U16, 1),
	[FASTNAT_A_POOL_MAX_BLOCKS] = NLA_POLICY_MIN(NLA_U16, 1),
	[FASTNAT_A_POOL_INSIDE] = NLA_POLICY_NESTED(fastnat_range_nl_policy),
};

/* FASTNAT_CMD_POOL_DEL - do */
static const struct nla_policy fastnat_pool_del_nl_policy[FASTNAT_A_POOL_NAME + 1] = {
	[FASTNAT_A_POOL_NAME] = { .type = NLA_NUL_STRING, .len = 31, },
};

/* FASTNAT_CMD_FLOW_GET - do */
static const struct nla_policy fastnat_flow_get_nl_policy[FASTNAT_A_FLOW_ORIG + 1] = {
	[FASTNAT_A_FLOW_PROTO] = { .type = NLA_U8, },
	[FASTNAT_A_FLOW_ORIG] = NLA_POLICY_NESTED(fastnat_tuple_nl_policy),
};

/* FASTNAT_CMD_FLOW_FLUSH - do */
static const struct nla_policy fastnat_flow_flush_nl_policy[FASTNAT_A_FLOW_POLICY + 1] = {
	[FASTNAT_A_FLOW_PROTO] = { .type = NLA_U8, },
	[FASTNAT_A_FLOW_POLICY] = { .type = NLA_U32, },
};

/* FASTNAT_CMD_CONFIG_SET - do */
static const struct nla_policy fastnat_config_set_nl_policy[FASTNAT_A_CONFIG_HOLD_SYN + 1] = {
	[FASTNAT_A_CONFIG_MAX_FLOWS] = NLA_POLICY_MIN(NLA_U32, 1),
	[FASTNAT_A_CONFIG_MAX_BINDINGS] = NLA_POLICY_MIN(NLA_U32, 1),
	[FASTNAT_A_CONFIG_TIMEOUT_TCP] = NLA_POLICY_FULL_RANGE(NLA_U32, &fastnat_a_config_timeout_tcp_range),
	[FASTNAT_A_CONFIG_TIMEOUT_UDP] = NLA_POLICY_FULL_RANGE(NLA_U32, &fastnat_a_config_timeout_udp_range),
	[FASTNAT_A_CONFIG_TIMEOUT_ICMP] = NLA_POLICY_FULL_RANGE(NLA_U32, &fastnat_a_config_timeout_icmp_range),
	[FASTNAT_A_CONFIG_CONNTRACK] = NLA_POLICY_MAX(NLA_U32, 1),
	[FASTNAT_A_CONFIG_BUCKETS] = NLA_POLICY_FULL_RANGE(NLA_U32, &fastnat_a_config_buckets_range),
	[FASTNAT_A_CONFIG_TIMEOUT_TCP_TRANSITORY] = NLA_POLICY_FULL_RANGE(NLA_U32, &fastnat_a_config_timeout_tcp_transitory_range),
	[FASTNAT_A_CONFIG_NUMA] = NLA_POLICY_MAX(NLA_U32, 1),
	[FASTNAT_A_CONFIG_EVENTS] = NLA_POLICY_MAX(NLA_U32, 1),
	[FASTNAT_A_CONFIG_OFFLOAD] = NLA_POLICY_MAX(NLA_U32, 1),
	[FASTNAT_A_CONFIG_OFFLOAD_AFTER] = NLA_POLICY_MIN(NLA_U8, 1),
	[FASTNAT_A_CONFIG_OFFLOAD_EXEMPT_MARK] = { .type = NLA_U32, },
	[FASTNAT_A_CONFIG_OFFLOAD_EXEMPT_MASK] = { .type = NLA_U32, },
	[FASTNAT_A_CONFIG_OFFLOAD_EXEMPT_DEVICES] = NLA_POLICY_NESTED(fastnat_devices_nl_policy),
	[FASTNAT_A_CONFIG_EARLY_DEVICES] = NLA_POLICY_NESTED(fastnat_devices_nl_policy),
	[FASTNAT_A_CONFIG_PORT_REST] = NLA_POLICY_FULL_RANGE(NLA_U32, &fastnat_a_config_port_rest_range),
	[FASTNAT_A_CONFIG_ICMP_REFUSED] = NLA_POLICY_MAX(NLA_U32, 1),
	[FASTNAT_A_CONFIG_HOLD_SYN] = NLA_POLICY_MAX(NLA_U32, 60),
};

/* FASTNAT_CMD_BINDING_ADD - do */
static const struct nla_policy fastnat_binding_add_nl_policy[FASTNAT_A_BINDING_LIFETIME + 1] = {
	[FASTNAT_A_BINDING_POLICY] = { .type = NLA_U32, },
	[FASTNAT_A_BINDING_PROTO] = { .type = NLA_U8, },
	[FASTNAT_A_BINDING_INSIDE_ADDR] = NLA_POLICY_EXACT_LEN(4),
	[FASTNAT_A_BINDING_INSIDE_PORT] = { .type = NLA_U16, },
	[FASTNAT_A_BINDING_OUTSIDE_ADDR] = NLA_POLICY_EXACT_LEN(4),
	[FASTNAT_A_BINDING_OUTSIDE_PORT] = { .type = NLA_U16, },
	[FASTNAT_A_BINDING_LIFETIME] = NLA_POLICY_FULL_RANGE(NLA_U32, &fastnat_a_binding_lifetime_range),
};

/* FASTNAT_CMD_BINDING_DEL - do */
static const struct nla_policy fastnat_binding_del_nl_policy[FASTNAT_A_BINDING_OUTSIDE_PORT + 1] = {
	[FASTNAT_A_BINDING_PROTO] = { .type = NLA_U8, },
	[FASTNAT_A_BINDING_OUTSIDE_ADDR] = NLA_POLICY_EXACT_LEN(4),
	[FASTNAT_A_BINDING_OUTSIDE_PORT] = { .type = NLA_U16, },
};

/* FASTNAT_CMD_SIZE_GET - do */
static const struct nla_policy fastnat_size_get_nl_policy[FASTNAT_A_SIZE_BUCKETS + 1] = {
	[FASTNAT_A_SIZE_MAX_FLOWS] = NLA_POLICY_MIN(NLA_U32, 1),
	[FASTNAT_A_SIZE_MAX_BINDINGS] = NLA_POLICY_MIN(NLA_U32, 1),
	[FASTNAT_A_SIZE_BUCKETS] = NLA_POLICY_FULL_RANGE(NLA_U32, &fastnat_a_size_buckets_range),
};

/* FASTNAT_CMD_POLICIES_ADD - do */
static const struct nla_policy fastnat_policies_add_nl_policy[FASTNAT_A_POLICIES_FLUSH_MATCHING + 1] = {
	[FASTNAT_A_POLICIES_POLICY] = NLA_POLICY_NESTED(fastnat_new_policy_nl_policy),
	[FASTNAT_A_POLICIES_FLUSH_MATCHING] = { .type = NLA_FLAG, },
};

/* FASTNAT_CMD_LRO_SET - do */
static const struct nla_policy fastnat_lro_set_nl_policy[FASTNAT_A_LRO_LIMIT + 1] = {
	[FASTNAT_A_LRO_DEVICE] = { .type = NLA_NUL_STRING, .len = 15, },
	[FASTNAT_A_LRO_MODE] = NLA_POLICY_MAX(NLA_U32, 2),
	[FASTNAT_A_LRO_LIMIT] = NLA_POLICY_RANGE(NLA_U8, 2, 64),
};

/* FASTNAT_CMD_LRO_DEL - do */
static const struct nla_policy fastnat_lro_del_nl_policy[FASTNAT_A_LRO_DEVICE + 1] = {
	[FASTNAT_A_LRO_DEVICE] = { .type = NLA_NUL_STRING, .len = 15, },
};

/* Ops table for fastnat */
static const struct genl_split_ops fastnat_nl_ops[] = {
	{
		.cmd		= FASTNAT_CMD_POLICY_ADD,
		.doit		= fastnat_nl_policy_add_doit,
		.policy		= fastnat_policy_add_nl_policy,
		.maxattr	= FASTNAT_A_POLICY_FLUSH_MATCHING,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= FASTNAT_CMD_POLICY_DEL,
		.doit		= fastnat_nl_policy_del_doit,
		.policy		= fastnat_policy_del_nl_policy,
		.maxattr	= FASTNAT_A_POLICY_ID,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd	= FASTNAT_CMD_POLICY_GET,
		.dumpit	= fastnat_nl_policy_get_dumpit,
		.flags	= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DUMP,
	},
	{
		.cmd		= FASTNAT_CMD_POOL_ADD,
		.doit		= fastnat_nl_pool_add_doit,
		.policy		= fastnat_pool_add_nl_policy,
		.maxattr	= FASTNAT_A_POOL_INSIDE,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= FASTNAT_CMD_POOL_DEL,
		.doit		= fastnat_nl_pool_del_doit,
		.policy		= fastnat_pool_del_nl_policy,
		.maxattr	= FASTNAT_A_POOL_NAME,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd	= FASTNAT_CMD_POOL_GET,
		.dumpit	= fastnat_nl_pool_get_dumpit,
		.flags	= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DUMP,
	},
	{
		.cmd		= FASTNAT_CMD_FLOW_GET,
		.doit		= fastnat_nl_flow_get_doit,
		.policy		= fastnat_flow_get_nl_policy,
		.maxattr	= FASTNAT_A_FLOW_ORIG,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd	= FASTNAT_CMD_FLOW_GET,
		.dumpit	= fastnat_nl_flow_get_dumpit,
		.flags	= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DUMP,
	},
	{
		.cmd		= FASTNAT_CMD_FLOW_FLUSH,
		.doit		= fastnat_nl_flow_flush_doit,
		.policy		= fastnat_flow_flush_nl_policy,
		.maxattr	= FASTNAT_A_FLOW_POLICY,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd	= FASTNAT_CMD_BINDING_GET,
		.dumpit	= fastnat_nl_binding_get_dumpit,
		.flags	= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DUMP,
	},
	{
		.cmd	= FASTNAT_CMD_STATS_GET,
		.doit	= fastnat_nl_stats_get_doit,
		.flags	= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd	= FASTNAT_CMD_CONFIG_GET,
		.doit	= fastnat_nl_config_get_doit,
		.flags	= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= FASTNAT_CMD_CONFIG_SET,
		.doit		= fastnat_nl_config_set_doit,
		.policy		= fastnat_config_set_nl_policy,
		.maxattr	= FASTNAT_A_CONFIG_HOLD_SYN,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= FASTNAT_CMD_BINDING_ADD,
		.doit		= fastnat_nl_binding_add_doit,
		.policy		= fastnat_binding_add_nl_policy,
		.maxattr	= FASTNAT_A_BINDING_LIFETIME,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= FASTNAT_CMD_BINDING_DEL,
		.doit		= fastnat_nl_binding_del_doit,
		.policy		= fastnat_binding_del_nl_policy,
		.maxattr	= FASTNAT_A_BINDING_OUTSIDE_PORT,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= FASTNAT_CMD_SIZE_GET,
		.doit		= fastnat_nl_size_get_doit,
		.policy		= fastnat_size_get_nl_policy,
		.maxattr	= FASTNAT_A_SIZE_BUCKETS,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd	= FASTNAT_CMD_TABLE_GET,
		.dumpit	= fastnat_nl_table_get_dumpit,
		.flags	= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DUMP,
	},
	{
		.cmd		= FASTNAT_CMD_POLICIES_ADD,
		.doit		= fastnat_nl_policies_add_doit,
		.policy		= fastnat_policies_add_nl_policy,
		.maxattr	= FASTNAT_A_POLICIES_FLUSH_MATCHING,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= FASTNAT_CMD_LRO_SET,
		.doit		= fastnat_nl_lro_set_doit,
		.policy		= fastnat_lro_set_nl_policy,
		.maxattr	= FASTNAT_A_LRO_LIMIT,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= FASTNAT_CMD_LRO_DEL,
		.doit		= fastnat_nl_lro_del_doit,
		.policy		= fastnat_lro_del_nl_policy,
		.maxattr	= FASTNAT_A_LRO_DEVICE,
		.flags		= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd	= FASTNAT_CMD_LRO_GET,
		.dumpit	= fastnat_nl_lro_get_dumpit,
		.flags	= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DUMP,
	},
	{
		.cmd	= FASTNAT_CMD_BLOCK_GET,
		.dumpit	= fastnat_nl_block_get_dumpit,
		.flags	= GENL_UNS_ADMIN_PERM | GENL_CMD_CAP_DUMP,
	},
};

static const struct genl_multicast_group fastnat_nl_mcgrps[] = {
	[FASTNAT_NLGRP_LIMIT] = { "limit", .flags = GENL_MCAST_CAP_NET_ADMIN, },
	[FASTNAT_NLGRP_BINDING] = { "binding", .flags = GENL_MCAST_CAP_NET_ADMIN, },
	[FASTNAT_NLGRP_FLOW] = { "flow", .flags = GENL_MCAST_CAP_NET_ADMIN, },
	[FASTNAT_NLGRP_BLOCK] = { "block", .flags = GENL_MCAST_CAP_NET_ADMIN, },
};

struct genl_family fastnat_nl_family __ro_after_init = {
	.name		= FASTNAT_FAMILY_NAME,
	.version	= FASTNAT_FAMILY_VERSION,
	.netnsok	= true,
	.parallel_ops	= true,
	.module		= THIS_MODULE,
	.split_ops	= fastnat_nl_ops,
	.n_split_ops	= ARRAY_SIZE(fastnat_nl_ops),
	.mcgrps		= fastnat_nl_mcgrps,
	.n_mcgrps	= ARRAY_SIZE(fastnat_nl_mcgrps),
};
