/** The exact balances of all accounts: free and locked, never below zero. */
import type { Money } from "../../domain/amounts.ts";
import { ZERO_MONEY, addMoney, subtractMoney } from "../../domain/amounts.ts";
import { invariant } from "../../domain/assert.ts";

export interface AssetBalance {
  readonly asset: string;
  readonly free: Money;
  readonly locked: Money;
}

export class Ledger {
  readonly #wallets = new Map<string, Wallet>();

  /** The balances of one account; the same object every time. */
  wallet(account: string): Wallet {
    let wallet = this.#wallets.get(account);
    if (!wallet) this.#wallets.set(account, (wallet = new Wallet()));
    return wallet;
  }

  /** Every account, with its balances. */
  entries(): readonly (readonly [account: string, wallet: Wallet])[] {
    return [...this.#wallets];
  }

  /** Every asset that the account ever had to do with, in alphabetical order. */
  balances(account: string): readonly AssetBalance[] {
    return this.#wallets.get(account)?.balances() ?? [];
  }
}

/** Every method is one movement of money; a movement that the account cannot pay for is a bug of the caller. */
export class Wallet {
  readonly #assets = new Map<string, { free: Money; locked: Money }>();

  /** Replaces what there is. */
  set({ asset, free, locked }: AssetBalance): void {
    Object.assign(this.#balance(asset), { free, locked });
  }

  /** Adds to what is free. */
  credit(asset: string, amount: Money): void {
    const balance = this.#balance(asset);
    balance.free = addMoney(balance.free, amount);
  }

  lock(asset: string, amount: Money): void {
    const balance = this.#balance(asset);
    invariant(balance.free >= amount, "an account has less than it locks");
    balance.free = subtractMoney(balance.free, amount);
    balance.locked = addMoney(balance.locked, amount);
  }

  unlock(asset: string, amount: Money): void {
    this.pay(asset, ZERO_MONEY, amount);
  }

  /** Frees `unlocked`, and takes `amount` from what is free then. */
  pay(asset: string, amount: Money, unlocked: Money): void {
    const balance = this.#balance(asset);
    const free = subtractMoney(addMoney(balance.free, unlocked), amount);
    invariant(balance.locked >= unlocked, "an account has less locked than it frees");
    invariant(free >= 0n, "an account has less than it pays");
    balance.locked = subtractMoney(balance.locked, unlocked);
    balance.free = free;
  }

  free(asset: string): Money {
    return this.#assets.get(asset)?.free ?? ZERO_MONEY;
  }

  balances(): readonly AssetBalance[] {
    return [...this.#assets]
      .map(([asset, { free, locked }]) => ({ asset, free, locked }))
      .sort((a, b) => (a.asset < b.asset ? -1 : 1));
  }

  #balance(asset: string): { free: Money; locked: Money } {
    let balance = this.#assets.get(asset);
    if (!balance) this.#assets.set(asset, (balance = { free: ZERO_MONEY, locked: ZERO_MONEY }));
    return balance;
  }
}
