/** Adds to a failure to reach a real exchange what its user can do about it. */
import { QuantmeshError, hasCode } from "../domain/errors.ts";

/** Throws what `ask` throws; EXCHANGE_UNAVAILABLE with the remedy. `name`: of the exchange. */
export async function namingRemedy<Result>(name: string, ask: () => Promise<Result>): Promise<Result> {
  try {
    return await ask();
  } catch (error) {
    if (!hasCode(error, "EXCHANGE_UNAVAILABLE")) throw error;
    throw new QuantmeshError(error.code, `${error.message}; ${remedyOf(name)}`, { cause: error });
  }
}

function remedyOf(name: string): string {
  return (
    `see that this computer's network reaches ${name}, that exchanges.${name}.urls (where given) are right, ` +
    `and whether its status page tells of maintenance; \`quantmesh doctor -c FILE\` checks the way there`
  );
}
