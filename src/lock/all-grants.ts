/** Several requests for one grant each, made side by side. */
import type { Grant } from "./lock.ts";

/** What each was granted; where one fails, the others' grants go to `giveBack`, and its failure is thrown. */
export async function allGrants(
  requests: readonly Promise<Grant | undefined>[],
  giveBack: (grant: Grant) => void,
): Promise<readonly (Grant | undefined)[]> {
  const answers = await Promise.allSettled(requests);
  const failed = answers.find((answer) => answer.status === "rejected");
  const grants = answers.map((answer) => (answer.status === "fulfilled" ? answer.value : undefined));
  if (!failed) return grants;
  for (const grant of grants) if (grant) giveBack(grant);
  throw failed.reason;
}
