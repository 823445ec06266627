/** How long a grant may be used on our side, whatever the backend's clock says. */

const CLOCK_DRIFT = 0.01;
const EXPIRY_PRECISION_MS = 2;

/**
 * Monotonic ms until which a grant of `ttlMs` holds whose request was sent at `sentAt`. The backend counts from
 * later on, and its clock may run faster: the margin is that of the Redlock specification.
 */
export function validUntil(sentAt: number, ttlMs: number): number {
  return sentAt + ttlMs - Math.ceil(ttlMs * CLOCK_DRIFT) - EXPIRY_PRECISION_MS;
}
