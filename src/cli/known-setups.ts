/** What grids mean for the bots: each is asked of the exchange once, so that what ran before needs nobody to come back. */
import type { Config } from "../config/schema.ts";
import type { BotSetup } from "../runner/open-bot.ts";
import { rulesOf } from "./canary-config.ts";
import type { FleetParts } from "./open-fleet.ts";

/** Some changes of each of thousands of grids. */
const MOST_KNOWN = 50_000;

export class KnownSetups {
  readonly #setupsOf: FleetParts["setupsOf"];
  #known: ReadonlyMap<string, BotSetup>;

  constructor(config: Config, setupsOf: FleetParts["setupsOf"], setups: readonly BotSetup[]) {
    this.#setupsOf = setupsOf;
    const rules = rulesOf(config);
    this.#known = new Map(setups.map((setup) => [rules.get(setup.market.symbol) ?? "", setup]));
  }

  /** The bots of `config`. Throws CONFIG_INVALID. */
  async of(config: Config): Promise<readonly BotSetup[]> {
    const rules = [...rulesOf(config)];
    const isNew = new Set(rules.filter(([, rule]) => !this.#known.has(rule)).map(([symbol]) => symbol));
    const found = isNew.size === 0 ? [] : await this.#setupsOf(config, isNew);
    const asked = new Map(found.map((setup) => [setup.market.symbol, setup]));
    const used = rules.flatMap(([symbol, rule]) => {
      const setup = this.#known.get(rule) ?? asked.get(symbol);
      return setup ? [[rule, setup] as const] : [];
    });
    this.#known = new Map(this.#known.size > MOST_KNOWN ? used : [...this.#known, ...used]);
    return used.map(([, setup]) => setup);
  }
}
