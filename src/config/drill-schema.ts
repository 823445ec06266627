/** The sections `faults` and `crowd` of the simulated market: drills for a bot, seeded. */
import { MAX_SEED, rate, section, wholeNumber } from "./fields.ts";

const MAX_DELAY_MS = 3_600_000;
const MAX_COUNT = 1_000_000;

const faultRate = (what: string) => rate().default(0).describe(`How often ${what}.`);
const seed = () =>
  wholeNumber(0, MAX_SEED).default(1).describe("The same seed gives the same course, for the same requests.");

/** Mirrors FaultOptions of the simulated exchange. */
export const faultsSchema = section({
  seed: seed(),
  lost_before: faultRate("a request to place or cancel is lost on its way to the market"),
  lost_after: faultRate("an order is accepted and the answer is lost"),
  late_answer: faultRate("the answer to a request comes late"),
  late_request: faultRate("a request reaches the market late, perhaps after its time"),
  rejected: faultRate("a valid order is refused"),
  duplicate_hint: faultRate("the stream says something twice"),
  reordered_hints: faultRate("the stream says something after what follows it"),
  missing_hint: faultRate("the stream leaves something out"),
  silent_stream: faultRate("the stream falls silent for silence_ms"),
  partial_fills: faultRate("an order that the price crosses executes only in part at first"),
  fill_in_cancel: faultRate("a part of an order executes just before its cancel"),
  lost_cancel_answer: faultRate("an order is cancelled and the answer is lost"),
  stale_queries: faultRate("a list or lookup is as of up to settle_ms ago"),
  unavailable_reads: faultRate("a list or lookup fails"),
  max_delay_ms: wholeNumber(0, MAX_DELAY_MS)
    .default(3000)
    .describe("Longest delay of a late request or answer, in milliseconds."),
  silence_ms: wholeNumber(0, MAX_DELAY_MS)
    .default(5000)
    .describe("How long a silent stream is silent, in milliseconds."),
  stale_beyond_settle_ms: wholeNumber(0, MAX_DELAY_MS)
    .default(0)
    .describe(
      "By how much stale answers are older than settle_ms promises, in milliseconds; the bot must halt.",
    ),
  clock_offset_ms: wholeNumber(-MAX_DELAY_MS, MAX_DELAY_MS)
    .default(0)
    .describe("How far the market's clock is ahead of the bot's, in milliseconds; below 0 it is behind."),
});

/** Mirrors CrowdOptions of the simulated exchange. */
export const crowdSchema = section({
  seed: seed(),
  users: wholeNumber(1, MAX_COUNT).default(5).describe("How many other users there are."),
  orders_per_point: wholeNumber(0, MAX_COUNT)
    .default(4)
    .describe("How many of their orders come to rest at each step of the price."),
  takes_per_point: wholeNumber(0, MAX_COUNT)
    .default(3)
    .describe("How many of their orders at most take what a step of the price crosses."),
  depth_ticks: wholeNumber(1, MAX_COUNT)
    .default(20)
    .describe("How far from the price their orders rest at most, in ticks."),
  max_quantity: wholeNumber(1, MAX_COUNT).default(100).describe("Largest quantity of an order, in lots."),
  life_points: wholeNumber(1, MAX_COUNT)
    .default(20)
    .describe("Steps of the price after which an order of theirs that still rests is cancelled."),
});
