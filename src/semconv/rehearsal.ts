const prefix = 'drill:';

/** All of them: the beginning and `*`. */
export const rehearsals = `${prefix}*`;

/** Whether what has this label of an environment is a rehearsal: `drill:production` is one of what happens in `production`. */
export function isRehearsal(environment: string): boolean {
  return environment.startsWith(prefix);
}

/** The environment that is meant: that of which it is a rehearsal, or itself. */
export function environmentMeant(environment: string): string {
  return isRehearsal(environment) ? environment.slice(prefix.length) : environment;
}

/** The label of a rehearsal of `environment`. */
export function rehearsalOf(environment: string): string {
  return `${prefix}${environment}`;
}
