import { parseDocument } from 'yaml';
import { z } from 'zod';
import type { AlertmanagerParts } from './alertmanager.ts';

const schema = z.looseObject({ receivers: z.array(z.looseObject({ name: z.string() })) });
const kept = ['receivers', 'global', 'templates', 'time_intervals', 'mute_time_intervals'];

/**
 * What `text` says for Alertmanager: a file with `receivers`, as in its configuration, and what receivers need beside
 * them. Whether Alertmanager takes it is for that to judge. Throws an Error that names `file`.
 */
export function readReceivers(file: string, text: string): AlertmanagerParts {
  const document = parseDocument(text, { prettyErrors: false });
  const parsed = schema.safeParse(document.errors.length > 0 ? undefined : document.toJS());
  if (!parsed.success)
    throw new Error(
      `${file}: is no list of receivers: write receivers, each with a name, as for Alertmanager`,
    );
  const others = Object.keys(parsed.data).filter((key) => !kept.includes(key));
  if (others.length > 0)
    throw new Error(
      `${file}: says ${others.join(', ')}, which would be lost: remove it; taken are ${kept.join(', ')}, and route and inhibit_rules are rendered of the policies`,
    );
  return parsed.data;
}
