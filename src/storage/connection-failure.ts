/** The way to the database failed, not the statement: nobody answered, or the answer was lost. */

export class ConnectionFailure extends Error {
  /** The statement may have reached the database; false where it certainly did not. */
  readonly isSent: boolean;

  constructor(message: string, isSent: boolean, options?: ErrorOptions) {
    super(message, options);
    this.name = "ConnectionFailure";
    this.isSent = isSent;
  }
}
