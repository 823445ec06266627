/** Keeps a few connections to one database server open, and lends them out one user at a time. */
import { ConnectionFailure } from "./connection-failure.ts";
import { limited } from "./limited.ts";

/** What everybody's safety hangs on, as a claim does, waits for no connection behind all the rest. */
export type Lane = "ordinary" | "urgent";

export interface PoolLimits {
  /** Connections in use and idle together; one more is kept for what is urgent. */
  readonly maxOpen: number;
  readonly maxIdle: number;
  /** An older connection is closed when it comes back. */
  readonly maxLifetimeMs: number;
}

/** One answer of a server. */
export interface Answer {
  readonly rows: Record<string, unknown>[];
  /** Rows that it inserted or that its condition matched; undefined of a read. */
  readonly affected: number | undefined;
}

export interface ServerConnection {
  /** Names the running server that it leads to: another one, or the same restarted, has another name. */
  readonly server: string;
  /** True once it was closed or broke. */
  readonly isLost: boolean;
  /** `isRepeated`: the statement comes often; the server keeps it prepared. Throws what the server or the socket says. */
  execute(sql: string, parameters: readonly unknown[], isRepeated: boolean): Promise<Answer>;
  /** Closes the socket at once. */
  destroy(): void;
}

interface Waiter {
  readonly lane: Lane;
  readonly wake: () => void;
}

interface Pooled {
  readonly connection: ServerConnection;
  readonly openedAt: number;
}

export class ConnectionPool {
  readonly #connect: () => Promise<ServerConnection>;
  readonly #limits: PoolLimits;
  readonly #openedAt = new Map<ServerConnection, number>();
  #idle: Pooled[] = [];
  #opening = 0;
  #waiting: Waiter[] = [];
  #isEnded = false;
  #server: string | undefined;
  #incarnation = 0;

  constructor(connect: () => Promise<ServerConnection>, limits: PoolLimits) {
    this.#connect = connect;
    this.#limits = limits;
  }

  /** Grows each time that another server answers, or the same one after a restart. */
  get incarnation(): number {
    return this.#incarnation;
  }

  /** Throws ConnectionFailure where none can be opened, or none becomes free within `limitMs`. */
  async acquire(limitMs: number, lane: Lane = "ordinary"): Promise<ServerConnection> {
    const deadline = performance.now() + limitMs;
    for (;;) {
      if (this.#isEnded) throw new ConnectionFailure("the storage is closed", false);
      if (this.#hasRoom(lane)) return this.#takeIdle() ?? this.#open();
      await this.#freed(deadline - performance.now(), lane);
    }
  }

  release(connection: ServerConnection): void {
    const openedAt = this.#openedAt.get(connection);
    if (openedAt === undefined) return;
    const isWorn = performance.now() - openedAt > this.#limits.maxLifetimeMs;
    const isStrange = connection.server !== this.#server;
    if (
      connection.isLost ||
      isWorn ||
      isStrange ||
      this.#isEnded ||
      this.#idle.length >= this.#limits.maxIdle
    ) {
      this.#drop(connection);
    } else {
      this.#idle.push({ connection, openedAt });
    }
    this.#wakeNext();
  }

  /** Closes the idle ones now and the others when they come back. */
  end(): void {
    this.#isEnded = true;
    for (const { connection } of this.#idle) this.#drop(connection);
    this.#idle = [];
    for (const { wake } of this.#waiting) wake();
    this.#waiting = [];
  }

  #hasRoom(lane: Lane): boolean {
    const inUse = this.#openedAt.size - this.#idle.length + this.#opening;
    return inUse < this.#limits.maxOpen + (lane === "urgent" ? 1 : 0);
  }

  #wakeNext(): void {
    const urgent = this.#waiting.findIndex(({ lane }) => lane === "urgent");
    if (urgent < 0 && !this.#hasRoom("ordinary")) return;
    const [next] = this.#waiting.splice(Math.max(urgent, 0), 1);
    next?.wake();
  }

  /** The one used last: it is warm, and those that are too many grow old. */
  #takeIdle(): ServerConnection | undefined {
    for (let last = this.#idle.pop(); last; last = this.#idle.pop()) {
      if (!last.connection.isLost && last.connection.server === this.#server) return last.connection;
      this.#drop(last.connection);
    }
    return undefined;
  }

  async #open(): Promise<ServerConnection> {
    this.#opening += 1;
    let isOpen = false;
    try {
      const connection = await this.#connect();
      if (this.#isEnded) {
        connection.destroy();
        throw new ConnectionFailure("the storage is closed", false);
      }
      if (connection.server !== this.#server) this.#moveTo(connection.server);
      this.#openedAt.set(connection, performance.now());
      isOpen = true;
      return connection;
    } finally {
      this.#opening -= 1;
      if (!isOpen) this.#wakeNext();
    }
  }

  /** Whoever still uses a connection to the other server must not go on there: its answers count no more. */
  #moveTo(server: string): void {
    this.#server = server;
    this.#incarnation += 1;
    for (const connection of this.#openedAt.keys()) connection.destroy();
  }

  #drop(connection: ServerConnection): void {
    this.#openedAt.delete(connection);
    connection.destroy();
  }

  #freed(limitMs: number, lane: Lane): Promise<void> {
    let waiter: Waiter | undefined;
    const freed = new Promise<void>((wake) => {
      waiter = { lane, wake };
      this.#waiting.push(waiter);
    });
    return limited(freed, limitMs, () => {
      this.#waiting = this.#waiting.filter((waiting) => waiting !== waiter);
      return new ConnectionFailure(
        `no connection became free within the limit of ${this.#limits.maxOpen}`,
        false,
      );
    });
  }
}
