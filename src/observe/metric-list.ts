/** Every metric: the only place where their names, types and labels live. Prices are never labels. */

export interface MetricSpec {
  readonly type: "counter" | "gauge" | "histogram";
  readonly help: string;
  readonly labels: readonly string[];
  /** Upper bounds of a histogram, in seconds. */
  readonly buckets?: readonly number[];
}

const MARKET = ["exchange", "symbol"] as const;
const ORDER_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10];
const HOLD_SECONDS = [1, 5, 15, 60, 300, 900, 3_600, 14_400, 86_400, 604_800];
const HANDOVER_SECONDS = [0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];
const STORAGE_SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5];

export const METRICS: Readonly<Record<string, MetricSpec>> = {
  quantmesh_order_total: {
    type: "counter",
    help: "Orders sent, by what is known about them after the request.",
    labels: [...MARKET, "side", "status"],
  },
  quantmesh_order_success_total: {
    type: "counter",
    help: "Orders that the exchange accepted.",
    labels: [...MARKET, "side"],
  },
  quantmesh_order_duration_seconds: {
    type: "histogram",
    help: "Time from sending an order to knowing its outcome.",
    labels: MARKET,
    buckets: ORDER_SECONDS,
  },
  quantmesh_order_failure_total: {
    type: "counter",
    help: "Orders that were refused, by reason.",
    labels: [...MARKET, "side", "reason"],
  },
  quantmesh_order_unknown_total: {
    type: "counter",
    help: "Orders whose request ended without a known outcome.",
    labels: MARKET,
  },
  quantmesh_fills_total: { type: "counter", help: "Fills stored.", labels: [...MARKET, "side"] },
  quantmesh_trade_volume_total: {
    type: "counter",
    help: "Quantity of all fills, in base.",
    labels: [...MARKET, "side"],
  },
  quantmesh_trade_amount_total: {
    type: "counter",
    help: "Value of all fills before fees, in quote.",
    labels: [...MARKET, "side"],
  },
  quantmesh_trade_count_total: {
    type: "counter",
    help: "Completed cycles whose buy was a grid order; sells of what was bought at the start are none.",
    labels: MARKET,
  },
  quantmesh_pnl_total: {
    type: "gauge",
    help: "Realized and unrealized profit after fees, in quote, at the current price.",
    labels: MARKET,
  },
  quantmesh_pnl_realized: {
    type: "gauge",
    help: "Profit of completed cycles and of sells of what was bought at the start, after fees, in quote; falls with a loss.",
    labels: MARKET,
  },
  quantmesh_position_size: { type: "gauge", help: "What the bot owns, in base.", labels: MARKET },
  quantmesh_position_value: {
    type: "gauge",
    help: "Value of what the bot owns at the current price, in quote.",
    labels: MARKET,
  },
  quantmesh_active_orders_count: {
    type: "gauge",
    help: "Orders that rest on the exchange.",
    labels: [...MARKET, "side"],
  },
  quantmesh_current_price: { type: "gauge", help: "Last price seen, in quote per base.", labels: MARKET },
  quantmesh_price_update_count_total: { type: "counter", help: "Price updates received.", labels: MARKET },
  quantmesh_reconciliation_count_total: {
    type: "counter",
    help: "Comparisons with the exchange's own lists of orders and fills.",
    labels: MARKET,
  },
  quantmesh_reconciliation_diff_found_total: {
    type: "counter",
    help: "Differences that a comparison found, by type.",
    labels: [...MARKET, "type"],
  },
  quantmesh_risk_control_triggered: {
    type: "gauge",
    help: "1 while stop_loss, take_profit or another guard keeps the bot from buying, otherwise 0.",
    labels: MARKET,
  },
  quantmesh_risk_control_trigger_count_total: {
    type: "counter",
    help: "How often a guard stopped the bot, by guard.",
    labels: [...MARKET, "reason"],
  },
  quantmesh_balance_usable: {
    type: "gauge",
    help: "What the account may spend of an asset that bots buy with, whether it is free or in open orders.",
    labels: ["exchange", "asset"],
  },
  quantmesh_balance_reserved: {
    type: "gauge",
    help: "How much of it the open buys of all bots need, and bots own that trade the asset as their base.",
    labels: ["exchange", "asset"],
  },
  quantmesh_balance_waits_total: {
    type: "counter",
    help: "How often the bot stopped buying for a while because the account's money was set aside for others.",
    labels: MARKET,
  },
  quantmesh_api_call_total: {
    type: "counter",
    help: "Requests to the exchange, by how they ended.",
    labels: ["exchange", "endpoint", "status"],
  },
  quantmesh_api_call_duration_seconds: {
    type: "histogram",
    help: "Time of one request to the exchange.",
    labels: ["exchange", "endpoint"],
    buckets: ORDER_SECONDS,
  },
  quantmesh_api_rate_limit_hit_total: {
    type: "counter",
    help: "Requests that the exchange refused because there were too many.",
    labels: ["exchange"],
  },
  quantmesh_rate_budget_shared: {
    type: "gauge",
    help: "1 while the request limits are counted together with the other instances, 0 while this one has only its own part.",
    labels: ["exchange"],
  },
  quantmesh_rate_budget_used_ratio: {
    type: "gauge",
    help: "How much of a request limit all instances together have counted in the interval of the last answer, from 0 to 1.",
    labels: ["exchange", "limit"],
  },
  quantmesh_websocket_connected: {
    type: "gauge",
    help: "1 while the exchange's stream is connected, otherwise 0.",
    labels: ["exchange", "stream_type"],
  },
  quantmesh_websocket_reconnect_count_total: {
    type: "counter",
    help: "How often the exchange's stream came back after an interruption.",
    labels: ["exchange", "stream_type"],
  },
  quantmesh_stream_stale: {
    type: "gauge",
    help: "1 while the stream of a symbol's prices is silent and the price is polled, otherwise 0.",
    labels: MARKET,
  },
  quantmesh_exchange_clock_offset: {
    type: "gauge",
    help: "How far the exchange's clock is ahead of this computer's, in seconds.",
    labels: ["exchange"],
  },
  quantmesh_db_query_duration_seconds: {
    type: "histogram",
    help: "Time of one storage operation.",
    labels: ["operation"],
    buckets: STORAGE_SECONDS,
  },
  quantmesh_db_errors_total: {
    type: "counter",
    help: "Storage operations that failed.",
    labels: ["operation"],
  },
  quantmesh_spool_depth: {
    type: "gauge",
    help: "Fills that wait on the local disk for the database.",
    labels: [],
  },
  quantmesh_spool_capacity: { type: "gauge", help: "Most fills that the spool keeps.", labels: [] },
  quantmesh_spool_age_seconds: {
    type: "gauge",
    help: "How long the oldest fill has waited for the database; 0 while none waits.",
    labels: [],
  },
  quantmesh_lock_acquire_total: {
    type: "counter",
    help: "Attempts to lock price levels, by how they ended.",
    labels: ["backend", ...MARKET, "status"],
  },
  quantmesh_lock_conflict_total: {
    type: "counter",
    help: "Price levels that another fleet held.",
    labels: ["backend", ...MARKET],
  },
  quantmesh_lock_conflict_levels: {
    type: "gauge",
    help: "Price levels that another fleet holds now.",
    labels: ["backend", ...MARKET],
  },
  quantmesh_lock_hold_duration_seconds: {
    type: "histogram",
    help: "Time for which a price level was locked.",
    labels: ["backend", ...MARKET],
    buckets: HOLD_SECONDS,
  },
  quantmesh_lock_roundtrip_seconds: {
    type: "histogram",
    help: "Time of one request to the lock service.",
    labels: ["backend", "operation"],
    buckets: STORAGE_SECONDS,
  },
  quantmesh_bot_mode: {
    type: "gauge",
    help: "1 for the mode that the bot is in, 0 for the others.",
    labels: [...MARKET, "mode"],
  },
  quantmesh_takeovers_total: {
    type: "counter",
    help: "Seats that this instance took over from another, by how the other was lost.",
    labels: ["reason"],
  },
  quantmesh_bot_failures_total: {
    type: "counter",
    help: "What interrupted a bot (retry_later, session_lost, reopen_failed) or ended it (failed).",
    labels: [...MARKET, "kind"],
  },
  quantmesh_config_version: {
    type: "gauge",
    help: "Version of the fleet's config that this instance runs.",
    labels: [],
  },
  quantmesh_config_canary_bots: {
    type: "gauge",
    help: "Bots here that try a newer version of the config before the others.",
    labels: [],
  },
  quantmesh_config_rollbacks_total: {
    type: "counter",
    help: "Config versions that this instance rolled back because a guard tripped, by guard.",
    labels: ["reason"],
  },
  quantmesh_handover_lag_seconds: {
    type: "histogram",
    help: "Pause of each symbol that this instance got by a planned handover: from its old owner's last order to trading again.",
    labels: [],
    buckets: HANDOVER_SECONDS,
  },
  quantmesh_failed_handovers_total: {
    type: "counter",
    help: "Handovers that this instance began and that came to nothing, by why: a move is rolled back then.",
    labels: ["reason"],
  },
  quantmesh_instance_load: {
    type: "gauge",
    help: "Load of this instance: events and orders per second, score (what hot spots are found by), busy and cpu in seconds per second.",
    labels: ["resource"],
  },
  quantmesh_mailbox_depth: { type: "gauge", help: "Events that wait for the bot.", labels: MARKET },
};
