/** The exact balances of all accounts: free and locked, never below zero. */
import type { Money } from "../../domain/amounts.ts";
import { ZERO_MONEY, addMoney, money, subtractMoney } from "../../domain/amounts.ts";
import { invariant } from "../../domain/assert.ts";

export interface AssetBalance {
  readonly asset: string;
  readonly free: Money;
  readonly locked: Money;
}

/** Every method is one movement of money; a movement that an account cannot pay for is a bug of the caller. */
export class Ledger {
  readonly #accounts = new Map<string, Map<string, { free: Money; locked: Money }>>();

  /** Adds to what is free. */
  credit(account: string, asset: string, amount: Money): void {
    const balance = this.#balance(account, asset);
    balance.free = addMoney(balance.free, amount);
  }

  /** Takes from what is free. */
  debit(account: string, asset: string, amount: Money): void {
    const balance = this.#balance(account, asset);
    invariant(balance.free >= amount, `${account} has less ${asset} than it pays`);
    balance.free = subtractMoney(balance.free, amount);
  }

  lock(account: string, asset: string, amount: Money): void {
    this.debit(account, asset, amount);
    const balance = this.#balance(account, asset);
    balance.locked = addMoney(balance.locked, amount);
  }

  unlock(account: string, asset: string, amount: Money): void {
    const balance = this.#balance(account, asset);
    invariant(balance.locked >= amount, `${account} has less ${asset} locked than it frees`);
    balance.locked = subtractMoney(balance.locked, amount);
    this.credit(account, asset, amount);
  }

  free(account: string, asset: string): Money {
    return this.#accounts.get(account)?.get(asset)?.free ?? ZERO_MONEY;
  }

  /** Every asset that the account ever had to do with, in alphabetical order. */
  balances(account: string): readonly AssetBalance[] {
    return [...(this.#accounts.get(account) ?? [])]
      .map(([asset, { free, locked }]) => ({ asset, free, locked }))
      .sort((a, b) => (a.asset < b.asset ? -1 : 1));
  }

  /** Replaces what there is. */
  set(account: string, asset: string, free: Money, locked: Money): void {
    Object.assign(this.#balance(account, asset), { free, locked });
  }

  /** Every balance of every account. */
  entries(): readonly (AssetBalance & { readonly account: string })[] {
    return [...this.#accounts].flatMap(([account, assets]) =>
      [...assets].map(([asset, { free, locked }]) => ({ account, asset, free, locked })),
    );
  }

  #balance(account: string, asset: string): { free: Money; locked: Money } {
    let assets = this.#accounts.get(account);
    if (!assets) this.#accounts.set(account, (assets = new Map()));
    let balance = assets.get(asset);
    if (!balance) assets.set(asset, (balance = { free: money(0n), locked: money(0n) }));
    return balance;
  }
}
