/** Frees the etcd locks of sessions that have ended: all keys are read page by page, those without a session deleted. */
import type { EtcdNodes } from "./etcd-nodes.ts";
import { allUnder, deleteKeys, holderOf, sessionKeys } from "./etcd-transactions.ts";

/** etcd refuses transactions of more than 128 operations. */
const PAGE = 100;

/**
 * `isAlive` spares requests; deleted is only what etcd itself finds without its session, in the same transaction.
 * Throws LOCK_UNAVAILABLE.
 */
export async function sweepOrphans(
  nodes: EtcdNodes,
  prefix: string,
  isAlive: (session: string) => boolean,
): Promise<void> {
  const { key: first, range_end } = allUnder(prefix);
  let key = first;
  for (;;) {
    const page = { key, range_end, limit: PAGE };
    const { kvs, more } = await nodes.call((client, options) => client.kv.range(page, options));
    const orphans = kvs.flatMap(({ key: name, value }) => {
      const { session } = holderOf(value.toString());
      const isLock = session !== "";
      return isLock && !isAlive(session) ? [{ key: name, value, ended: sessionKeys(prefix, session) }] : [];
    });
    if (orphans.length > 0) {
      await nodes.call((client, options) => client.kv.txn(deleteKeys(orphans), options));
    }
    const last = kvs.at(-1);
    if (!more || !last) return;
    key = Buffer.concat([last.key, NEXT]);
  }
}

const NEXT = Buffer.from([0]);
