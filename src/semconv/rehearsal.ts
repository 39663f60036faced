const prefix = 'drill:';

/** All of them: the beginning and `*`. */
export const rehearsals = `${prefix}*`;

/**
 * Whether what has this label of an environment is a rehearsal: `drill:production` is one of what happens in
 * `production`, and so is `drill:production#7`, with a name of its own.
 */
export function isRehearsal(environment: string): boolean {
  return environment.startsWith(prefix);
}

/** What stands between an environment and the name of one rehearsal in it. */
const nameMark = '#';

/** The environment that is meant: that of which it is a rehearsal, or itself. */
export function environmentMeant(environment: string): string {
  if (!isRehearsal(environment)) return environment;
  const said = environment.slice(prefix.length);
  const mark = said.lastIndexOf(nameMark);
  return mark === -1 ? said : said.slice(0, mark);
}

/** The label of the rehearsal `name` of `environment`: what other ones left behind is not its own. */
export function rehearsalOf(environment: string, name: string): string {
  return `${prefix}${environment}${nameMark}${name}`;
}
