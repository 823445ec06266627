/** Coordinators of one test in one process, over a real etcd and real heartbeat connections. */
import type { Role } from "../../../src/coordination/fleet-view.ts";
import type { CoordinatorTimes } from "../../../src/coordination/coordinator-options.ts";
import { Coordinator } from "../../../src/coordination/coordinator.ts";
import { openEtcdStore } from "../../../src/coordination/etcd-store.ts";
import type { KeyStore } from "../../../src/coordination/key-store.ts";
import { realClock } from "../../../src/exchange/sim/real-clock.ts";
import type { Identity } from "../../support/certificates.ts";
import type { KeptLine } from "../../support/kept-log.ts";
import { logInto } from "../../support/kept-log.ts";
import { LinkProxy } from "../../support/servers/link-proxy.ts";

export const TIMES: CoordinatorTimes = {
  leaseTtlMs: 10_000,
  // A busy machine keeps a living instance, or etcd's disk, waiting: that is not to look like death.
  silenceMs: 2000,
  refuteMs: 1500,
  trustMs: 1000,
  longestTrustMs: 10_000,
  graceMs: 500,
  settleMs: 100,
  protectMs: 30_000,
  listIntervalMs: 300,
  startLimitMs: 30_000,
};

/** For what happens within a second on a machine that has nothing else to do. */
const PATIENCE_MS = 20_000;

/** One coordinator and what it has said. */
export interface LabInstance {
  readonly id: string;
  readonly coordinator: Coordinator;
  /** What its owner was told last; empty after a loss. */
  owned: ReadonlySet<string>;
  readonly losses: string[];
  readonly failures: unknown[];
  readonly events: () => readonly string[];
  readonly lines: () => readonly KeptLine[];
  /** How many registrations of it etcd has. */
  readonly etcdEntries: () => number;
  /** The link over which the others hear it. */
  readonly link: LinkProxy;
  /** Between it and etcd. */
  readonly etcdLink: LinkProxy;
  /** Ends it as a crash does: its port refuses, its lease lives on. */
  crash(): Promise<void>;
  close(): Promise<void>;
}

export interface LabOptions {
  /** Of every member. */
  readonly etcdPorts: () => readonly number[];
  readonly symbols: readonly string[];
  readonly times?: Partial<CoordinatorTimes>;
  /** What connections to etcd are encrypted with. */
  readonly etcdTls?: Identity;
}

export interface LabStart {
  readonly role?: Role;
  readonly secret?: string;
  /** In the place of the lab's. */
  readonly times?: Partial<CoordinatorTimes>;
  /** Called before it asks etcd for the first time. */
  readonly beforeOpen?: (instance: LabInstance) => void;
  /** Called when it must end. */
  readonly failed?: (instance: LabInstance) => void;
  /** Ends its wait for etcd. */
  readonly signal?: AbortSignal;
  /** What its heartbeat connections are encrypted with. */
  readonly tls?: Identity;
}

export class FleetLab {
  readonly #options: LabOptions;
  readonly #instances = new Set<LabInstance>();
  readonly #fleet = `lab-${Math.random().toString(36).slice(2)}`;

  constructor(options: LabOptions) {
    this.#options = options;
  }

  get prefix(): string {
    return `/quantmesh/${this.#fleet}/`;
  }

  async start(id: string, start: LabStart = {}): Promise<LabInstance> {
    const { role = "active", secret = "the fleet's secret", tls, beforeOpen, signal } = start;
    const { etcdPorts, symbols, times, etcdTls } = this.#options;
    const urlOf = (port: number): string => `${etcdTls ? "https" : "http"}://127.0.0.1:${port}`;
    const etcd = { limitMs: 500, ...(etcdTls ? { tls: etcdTls.pem } : {}) };
    const lines: KeptLine[] = [];
    const etcdLink = await LinkProxy.open(() => etcdPorts()[0] ?? 0);
    const others = etcdPorts().slice(1);
    const store = openEtcdStore({ ...etcd, hosts: [etcdLink.port, ...others].map(urlOf) });
    const watcher = openEtcdStore({ ...etcd, hosts: etcdPorts().map(urlOf) });
    let registrations = 1;
    const counting = setInterval(() => {
      watcher.list(`${this.prefix}instances/${id}`).then(
        ({ entries }) => (registrations = entries.length),
        () => undefined,
      );
    }, 100);
    let isCrashed = false;
    const crashable: KeyStore = new Proxy(store, {
      get: (target, name) =>
        isCrashed && name === "revokeLease"
          ? async (): Promise<void> => undefined
          : (Reflect.get(target, name) as (...args: never[]) => unknown).bind(target),
    });
    const link = await LinkProxy.open(() => coordinator.port);
    const losses: string[] = [];
    const failures: unknown[] = [];
    const coordinator: Coordinator = new Coordinator({
      store: crashable,
      clock: realClock,
      log: logInto(lines),
      metrics: { count: () => undefined, gauge: () => undefined, observe: () => undefined },
      fleet: this.#fleet,
      me: { id, incarnation: `${Date.now()}-${Math.random().toString(36).slice(2)}` },
      role,
      mesh: { host: "127.0.0.1", port: 0, secret, beatMs: 100, ...(tls ? { tls: tls.pem } : {}) },
      advertise: () => `127.0.0.1:${link.port}`,
      times: { ...TIMES, ...times, ...start.times },
      describe: () => ({ version: "test", symbols: instance.owned.size, config: 1 }),
      symbols: () => symbols,
      owner: {
        assigned: (owned) => {
          instance.owned = owned;
        },
        lost: (reason) => {
          instance.owned = new Set();
          losses.push(reason);
        },
        told: () => undefined,
        drainAsked: () => undefined,
        failed: (error) => {
          failures.push(error);
          start.failed?.(instance);
        },
      },
    });
    const close = async (): Promise<void> => {
      if (!this.#instances.delete(instance)) return;
      clearInterval(counting);
      watcher.close();
      await coordinator.close();
      store.close();
      await link.close();
      await etcdLink.close();
    };
    const instance: LabInstance = {
      id,
      coordinator,
      owned: new Set(),
      losses,
      failures,
      etcdEntries: () => registrations,
      events: () => lines.map(({ event }) => event),
      lines: () => lines,
      link,
      etcdLink,
      crash: async () => {
        isCrashed = true;
        await close();
      },
      close,
    };
    this.#instances.add(instance);
    beforeOpen?.(instance);
    await coordinator.open(signal);
    return instance;
  }

  /** Who owns what, by instance. */
  owners(): Readonly<Record<string, readonly string[]>> {
    return Object.fromEntries([...this.#instances].map(({ id, owned }) => [id, [...owned].sort()]));
  }

  /** Resolves once each symbol has exactly one owner, all of them among `ids`. */
  async untilShared(ids: readonly string[], limitMs = PATIENCE_MS): Promise<void> {
    await until(() => {
      const all = [...this.#instances].flatMap(({ owned }) => [...owned]);
      const isComplete = all.length === this.#options.symbols.length && new Set(all).size === all.length;
      const holders = [...this.#instances].filter(({ owned }) => owned.size > 0).map(({ id }) => id);
      return isComplete && holders.toSorted().join() === [...ids].sort().join();
    }, limitMs);
  }

  /** Resolves once each hears all others: whom it never heard it does not take for dead before its lease ends. */
  async untilHeard(): Promise<void> {
    const heard = ({ lines }: LabInstance): number =>
      new Set(
        lines().flatMap(({ event, fields }) => (event === "mesh.heard" ? [String(fields["peer"])] : [])),
      ).size;
    await until(() => [...this.#instances].every((one) => heard(one) >= this.#instances.size - 1));
  }

  async close(): Promise<void> {
    await Promise.all([...this.#instances].map((instance) => instance.close()));
  }
}

/** Looks each 5 ms until `holds`; throws after `limitMs`. */
export async function until(holds: () => boolean, limitMs = PATIENCE_MS): Promise<void> {
  const deadline = performance.now() + limitMs;
  while (!holds()) {
    if (performance.now() > deadline) throw new Error(`not within ${limitMs} ms: ${holds.toString()}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
