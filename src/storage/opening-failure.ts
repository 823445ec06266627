/** What to say of a database server that was asked for the first time and did not let us in. */
import { QuantmeshError } from "../domain/errors.ts";
import { unavailable } from "./database.ts";
import type { ServerAddress } from "./dsn.ts";
import { describeAddress } from "./dsn.ts";
import { failureOfMysql } from "./mysql.ts";
import { failureOfPostgres } from "./postgres.ts";

/** CONFIG_INVALID where the server refuses, STORAGE_UNAVAILABLE where it cannot be reached; anything else as it is. */
export function openingFailure(address: ServerAddress, error: unknown): unknown {
  const failure = address.type === "postgres" ? failureOfPostgres(error) : failureOfMysql(error);
  if (failure === undefined) return error;
  const name = describeAddress(address);
  if (failure !== "denied") return unavailable(name, error);
  const reason = error instanceof Error ? error.message : String(error);
  return new QuantmeshError(
    "CONFIG_INVALID",
    `database.dsn: ${name} refuses user "${address.user}": ${reason}`,
    { cause: error },
  );
}
