/** Nominal typing: a value that can only be made in the one place that checks it. */
declare const brand: unique symbol;
export type Brand<Value, Name extends string> = Value & { readonly [brand]: Name };
