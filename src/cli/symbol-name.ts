/** The ways in which users write a symbol. */

/** True where `name` is `BTC/USDT` written so, as `BTC-USDT` or as `BTCUSDT`, in letters of any size. */
export function meansSymbol(name: string, symbol: string): boolean {
  const written = name.toUpperCase();
  return [symbol, symbol.replace("/", "-"), symbol.replace("/", "")].some(
    (form) => form.toUpperCase() === written,
  );
}

/** The names of a repeatable option, which may also be separated by commas. */
export function namesOf(values: readonly string[] | undefined): readonly string[] {
  return (values ?? []).flatMap((value) => value.split(",")).filter((name) => name !== "");
}
