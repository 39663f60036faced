import { parseDocument } from 'yaml';
import { z } from 'zod';
import type { Receiver } from './alertmanager.ts';

const schema = z.looseObject({ receivers: z.array(z.looseObject({ name: z.string() })) });

/**
 * The receivers in `text`: a file with `receivers`, as in Alertmanager's configuration. What else they say is for
 * Alertmanager to judge. Throws an Error that names `file`.
 */
export function readReceivers(file: string, text: string): readonly Receiver[] {
  const document = parseDocument(text, { prettyErrors: false });
  const parsed = schema.safeParse(document.errors.length > 0 ? undefined : document.toJS());
  if (!parsed.success)
    throw new Error(
      `${file}: is no list of receivers: write receivers, each with a name, as for Alertmanager`,
    );
  return parsed.data.receivers;
}
