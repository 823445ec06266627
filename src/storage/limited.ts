/** A limit on how long something may take. */

/** What `work` gives within `limitMs`; after that `expire` says what is thrown, and `work`'s end is of no interest. */
export function limited<Result>(
  work: Promise<Result>,
  limitMs: number,
  expire: () => Error,
): Promise<Result> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(expire()), limitMs);
    work.then(
      (result) => {
        clearTimeout(timer);
        resolve(result);
      },
      (error: unknown) => {
        clearTimeout(timer);
        reject(error instanceof Error ? error : new Error(String(error)));
      },
    );
  });
}
