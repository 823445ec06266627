/** The `coordination` section: how several instances share the symbols. */
import { z } from "zod";
import { choice, etcdMember, number, section, text, wholeNumber } from "./fields.ts";

const MAX_MS = 600_000;

const hostAndPort = (what: string) =>
  z.string().regex(/^(\[[0-9a-fA-F:]+\]|[^\s:/]+):\d{1,5}$/, `must be ${what}, like 10.0.0.5:28890`);

export const coordinationSchema = section({
  mode: choice(["solo", "static", "dynamic"])
    .default("solo")
    .describe(
      "solo is one process alone, static gives each instance its own symbols, dynamic shares them over etcd and lets instances take over from one another.",
    ),
  fleet: z
    .string()
    .regex(/^[A-Za-z0-9._-]{1,64}$/, "must be 1 to 64 letters, digits, dots, dashes or underscores")
    .default("quantmesh")
    .describe("Name of the fleet: part of every key in etcd."),
  etcd: section({
    hosts: z.array(etcdMember()).default([]).describe("Every member of the etcd cluster."),
    username: text().optional().describe("Name to log in with, where etcd asks for one."),
    password: text().optional().describe("Password to log in with."),
    ca: text()
      .optional()
      .describe("PEM file of the authority that signed the members' certificates; for https."),
    certificate: text()
      .optional()
      .describe("PEM file of this instance's certificate, where etcd asks for one."),
    key: text().optional().describe("PEM file of the key of this certificate."),
    limit_ms: wholeNumber(50, MAX_MS).default(1000).describe("How long one call may take, in milliseconds."),
  })
    .prefault({})
    .describe("The etcd cluster; only for mode dynamic."),
  lease_ttl: wholeNumber(2, 3600)
    .default(10)
    .describe(
      "Seconds after which an instance that cannot renew its lease is gone; it stops after 0.7 of them.",
    ),
  start_limit: wholeNumber(1, 3600)
    .default(60)
    .describe("Seconds for which the start waits for an etcd that does not answer; then the instance ends."),
  listen: hostAndPort("an address and a port to listen on")
    .default("127.0.0.1:28890")
    .describe("Where the other instances hear this one's heartbeats; port 0 takes any free port."),
  advertise: hostAndPort("the address and port under which the others reach this instance")
    .optional()
    .describe("Where they find it, if not at listen."),
  secret: text()
    .optional()
    .describe("What all instances of the fleet know and nobody else; heartbeats are authenticated with it."),
  tls: section({
    ca: text().describe("PEM file of the authority that signed every instance's certificate."),
    certificate: text().describe("PEM file of this instance's certificate."),
    key: text().describe("PEM file of the key of this certificate."),
  })
    .optional()
    .describe("Encrypts the heartbeat connections; both sides show a certificate."),
  heartbeat_ms: wholeNumber(10, MAX_MS)
    .default(100)
    .describe("Time between two heartbeats, in milliseconds."),
  silence_ms: wholeNumber(50, MAX_MS)
    .default(300)
    .describe("After so long without a heartbeat an instance is challenged, in milliseconds."),
  refute_ms: wholeNumber(50, MAX_MS)
    .default(200)
    .describe("How long it has to answer the challenge before its seat is taken, in milliseconds."),
  grace_ms: wholeNumber(0, MAX_MS)
    .default(1000)
    .describe(
      "How long the seat of a dead instance waits for a standby before its symbols spread, in milliseconds.",
    ),
  settle_ms: wholeNumber(0, MAX_MS)
    .default(500)
    .describe("How long a new seat waits for others that start with it, in milliseconds."),
  handover_limit: wholeNumber(1, 3600)
    .default(15)
    .describe(
      "Seconds that a seat may take to claim a symbol that was moved to it, and again to trade it; then the move is rolled back.",
    ),
  hot_spots: section({
    enabled: choice(["false", "propose", "automatic"])
      .default("propose")
      .meta({ type: ["boolean", "string"], enum: [false, "propose", "automatic"] })
      .describe(
        "propose shows in `quantmesh status` which symbol should leave a seat that is far busier than the others, automatic moves it.",
      ),
    threshold: number(1.1, 100)
      .default(1.4)
      .describe(
        "A seat is hot from so many times the mean load of all seats on; until it is half-way back to it.",
      ),
    window: wholeNumber(2, 3600)
      .default(8)
      .describe("Seconds over which loads are averaged, and for which a seat must be hot without a break."),
    cool_down: wholeNumber(10, 86_400)
      .default(300)
      .describe("Seconds for which a symbol that was moved stays where it is."),
    gain: number(0.01, 0.9)
      .default(0.05)
      .describe(
        "Share by which a move must lower the load of the busier of its two seats, the moved symbol's own left out.",
      ),
    least_load: wholeNumber(1, 1_000_000)
      .default(100)
      .describe(
        "A seat with less load is never hot; in events of all its symbols per second, an order counting as 20.",
      ),
  })
    .prefault({})
    .describe("Moves of symbols that cost far more than others to seats that have less to do."),
});
