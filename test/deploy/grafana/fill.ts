/** Values of the variables of a dashboard, and of those that Grafana has itself. */
export type Values = Readonly<Record<string, string>>;

/** `text` with the variables filled in as Grafana does; throws where one has no value. */
export function filled(text: string, values: Values): string {
  return text.replaceAll(/\$\{(\w+)(?::\w+)?\}|\$(\w+)/g, (_, braced?: string, bare?: string) => {
    const name = braced ?? bare ?? '';
    const value = values[name];
    if (value === undefined) throw new Error(`the variable ${name} has no value: ${text}`);
    return value;
  });
}
