/** Asks whether an instance of quantmesh serves its health at an address of this computer. */

/** An instance on this computer answers at once. */
const LIMIT_MS = 1_000;

export async function servesHealth(host: string, port: number, limitMs = LIMIT_MS): Promise<boolean> {
  const reached = host === "0.0.0.0" || host === "::" ? "127.0.0.1" : host;
  const name = reached.includes(":") ? `[${reached}]` : reached;
  try {
    const signal = AbortSignal.timeout(Math.min(limitMs, LIMIT_MS));
    const response = await fetch(`http://${name}:${port}/health/live`, { signal });
    return JSON.stringify(await response.json()) === '{"live":true}';
  } catch {
    // Whatever does not answer so is not ours.
    return false;
  }
}
