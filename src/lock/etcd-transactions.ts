/** The transactions of locks in etcd: each compares what its sender believes and does nothing where it is not so. */
import type { ICompare, IKeyValue, IRequestOp, ITxnRequest } from "etcd3";

/**
 * The keys of one session: its record, the guard that makes late requests void and goes with the record, and what others
 * leave who took a key from it.
 */
export interface SessionKeys {
  readonly record: Buffer;
  readonly guard: Buffer;
  readonly taken: Buffer;
}

export interface TakeOrder {
  readonly session: SessionKeys;
  readonly guardRevision: string;
  readonly keys: readonly Buffer[];
  /** What was found there before; undefined for nothing. */
  readonly seen: readonly (IKeyValue | undefined)[];
  /** The other sessions that are named there. */
  readonly robbed: readonly SessionKeys[];
  readonly value: string;
}

export const SESSIONS = "session/";

export function sessionKeys(prefix: string, id: string): SessionKeys {
  const key = (name: string): Buffer => Buffer.from(`${prefix}${name}${id}`);
  return { record: key(SESSIONS), guard: key("guard/"), taken: key("taken/") };
}

/** Of a lock's value: fleet, epoch and token, whose first part is the session. */
export function holderOf(value: string): { fleet: string; epoch: number; token: string; session: string } {
  const [fleet = "", epoch, token = ""] = value.split(" ");
  return { fleet, epoch: Number(epoch), token, session: token.slice(0, Math.max(0, token.indexOf("."))) };
}

/** Reads every key that begins with `prefix`; all keys where it is empty. */
export function allUnder(prefix: string): { readonly key: Buffer; readonly range_end: Buffer } {
  if (prefix === "") return { key: NO_BYTE, range_end: NO_BYTE };
  return { key: Buffer.from(prefix), range_end: endOf(prefix) };
}

/** Unless the record is there: then record and guard are read. */
export function createSession({ record, guard }: SessionKeys, ttlMs: number): ITxnRequest {
  return {
    compare: [isAbsent(record)],
    success: [
      { request_put: { key: record, value: Buffer.from(String(ttlMs)) } },
      { request_put: { key: guard, value: MARK } },
    ],
    failure: [{ request_range: { key: record } }, { request_range: { key: guard } }],
  };
}

/** Writes the record and tells what it was before, reads what others took, and the records of all; nothing where the session was ended. */
export function renewSession(
  prefix: string,
  { keys, createRevision }: { readonly keys: SessionKeys; readonly createRevision: string },
  ttlMs: number,
): ITxnRequest {
  return {
    compare: [isStill(keys, createRevision)],
    success: [
      { request_put: { key: keys.record, value: Buffer.from(String(ttlMs)), prev_kv: true } },
      { request_range: { key: keys.taken } },
      { request_range: allUnder(prefix + SESSIONS) },
    ],
    failure: [],
  };
}

/** Makes void every request of the session that was sent before; nothing where the session was ended. */
export function voidEarlier(session: SessionKeys, createRevision: string): ITxnRequest {
  return {
    compare: [isStill(session, createRevision)],
    success: [{ request_put: { key: session.guard, value: MARK } }],
    failure: [],
  };
}

/** Deletes what belongs to a session; where a revision is named, only if its record still has it. */
export function endSession(
  { record, guard, taken }: SessionKeys,
  only?: { readonly revision: string },
): ITxnRequest {
  return {
    compare: only ? [{ key: record, target: "Mod", result: "Equal", mod_revision: only.revision }] : [],
    success: [record, guard, taken].map((key): IRequestOp => ({ request_delete_range: { key } })),
    failure: [],
  };
}

/**
 * Takes all keys if they still are as they were seen, and the guard is there unchanged: so the session lives, and nothing
 * of it was made void. Tells the living sessions from which a key is taken. Else reads the keys.
 */
export function takeKeys(order: TakeOrder): ITxnRequest {
  const { session, keys, seen, robbed } = order;
  const value = Buffer.from(order.value);
  const isAsSeen = keys.map((key, i): ICompare => {
    const held = seen[i];
    return held
      ? { key, target: "Mod", result: "Equal", mod_revision: held.mod_revision }
      : { key, target: "Create", result: "Equal", create_revision: "0" };
  });
  return {
    compare: [guardIs(session, order.guardRevision), ...isAsSeen],
    success: [
      ...keys.map((key): IRequestOp => ({ request_put: { key, value } })),
      ...robbed.map((other): IRequestOp => ({ request_txn: tell(other) })),
    ],
    failure: keys.map((key): IRequestOp => ({ request_range: { key } })),
  };
}

/**
 * Takes each key that nobody holds, with the value of its own, if the guard is there unchanged; else nothing. Reads the
 * others.
 */
export function takeFree(
  session: SessionKeys,
  guardRevision: string,
  locks: readonly { readonly key: Buffer; readonly value: Buffer }[],
): ITxnRequest {
  return {
    compare: [guardIs(session, guardRevision)],
    success: locks.map(({ key, value }): IRequestOp => {
      const success = [{ request_put: { key, value } }];
      return { request_txn: { compare: [isAbsent(key)], success, failure: [{ request_range: { key } }] } };
    }),
    failure: [],
  };
}

export function readKeys(keys: readonly Buffer[]): ITxnRequest {
  return { compare: [], success: keys.map((key): IRequestOp => ({ request_range: { key } })), failure: [] };
}

/** Deletes each key whose value still is the one named; where a session is named, only if that has ended. */
export function deleteKeys(
  locks: readonly { readonly key: Buffer; readonly value: Buffer; readonly ended?: SessionKeys }[],
): ITxnRequest {
  const each = locks.map(
    ({ key, value, ended }): ITxnRequest => ({
      compare: [{ key, target: "Value", result: "Equal", value }, ...(ended ? [isAbsent(ended.record)] : [])],
      success: [{ request_delete_range: { key } }],
      failure: [],
    }),
  );
  const [only] = each;
  if (only && each.length === 1) return only;
  return { compare: [], success: each.map((one) => ({ request_txn: one })), failure: [] };
}

/** What stands in keys of which only the revision tells something. */
const MARK = Buffer.from("x");

const NO_BYTE = Buffer.from([0]);

function isAbsent(key: Buffer): ICompare {
  return { key, target: "Create", result: "Equal", create_revision: "0" };
}

function guardIs({ guard }: SessionKeys, revision: string): ICompare {
  return { key: guard, target: "Mod", result: "Equal", mod_revision: revision };
}

/** The record is the one that was made then: no other session, and not ended. */
function isStill({ record }: SessionKeys, createRevision: string): ICompare {
  return { key: record, target: "Create", result: "Equal", create_revision: createRevision };
}

/** A session that has ended must not get keys again. */
function tell({ record, taken }: SessionKeys): ITxnRequest {
  return {
    compare: [{ key: record, target: "Create", result: "Greater", create_revision: "0" }],
    success: [{ request_put: { key: taken, value: MARK } }],
    failure: [],
  };
}

/** The first key behind all that begin with `prefix`. */
function endOf(prefix: string): Buffer {
  const end = Buffer.from(prefix);
  const last = end.length - 1;
  end.writeUInt8(end.readUInt8(last) + 1, last);
  return end;
}
